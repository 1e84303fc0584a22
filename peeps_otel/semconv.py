# SPDX-License-Identifier: Apache-2.0
"""Names on the wire: the Python side of the registry in proto/semconv/ (a test holds one against the other)."""

from __future__ import annotations

from typing import Final

SCHEMA_URL: Final = "https://peeps-otel.dev/schemas/0.1.0"
SCOPE: Final = "peeps_otel"

# --- events ---------------------------------------------------------------------------------------------------------
EVENT_SNAPSHOT: Final = "peeps.snapshot"
EVENT_NODE: Final = "peeps.node"
EVENT_NODE_GONE: Final = "peeps.node.gone"
EVENT_FINDING: Final = "peeps.finding"

# --- every node -----------------------------------------------------------------------------------------------------
NODE_ID: Final = "peeps.node.id"
NODE_KIND: Final = "peeps.node.kind"
NODE_NAME: Final = "peeps.node.name"
CREATED_AT: Final = "peeps.created_at"
SOURCE: Final = "peeps.source"
METHOD: Final = "peeps.method"
CORRELATION: Final = "peeps.correlation"
CONFIDENCE: Final = "peeps.confidence"
STATE: Final = "peeps.state"
PROVIDERS: Final = "peeps.providers"
EDGES: Final = "peeps.edges"

# --- waits ----------------------------------------------------------------------------------------------------------
WAIT_OPERATION: Final = "peeps.wait.operation"
WAIT_SINCE: Final = "peeps.wait.since"
WAIT_SINCE_EXACT: Final = "peeps.wait.since_exact"
WAIT_NEEDS: Final = "peeps.wait.needs"
WAIT_DEADLINE: Final = "peeps.wait.deadline"
WAIT_SOURCE: Final = "peeps.wait.source"

# --- kinds ----------------------------------------------------------------------------------------------------------
TASK_STEPS: Final = "peeps.task.steps"
TASK_PARENT: Final = "peeps.task.parent"
TASK_COROUTINE: Final = "peeps.task.coroutine"
CHANNEL_LENGTH: Final = "peeps.channel.length"
CHANNEL_CAPACITY: Final = "peeps.channel.capacity"
CHANNEL_WAITERS: Final = "peeps.channel.waiters"
CHANNEL_UNFINISHED: Final = "peeps.channel.unfinished"
CHANNEL_TYPE: Final = "peeps.channel.type"
SEMAPHORE_PERMITS: Final = "peeps.semaphore.permits"
SEMAPHORE_AVAILABLE: Final = "peeps.semaphore.available"
RESOURCE_TYPE: Final = "peeps.resource.type"
RESOURCE_WAITERS: Final = "peeps.resource.waiters"
LOCK_LOCKED: Final = "peeps.lock.locked"
EVENT_IS_SET: Final = "peeps.event.is_set"
LOOP_ID: Final = "peeps.loop.id"

# --- snapshots ------------------------------------------------------------------------------------------------------
STREAM_ID: Final = "peeps.stream.id"
SEQUENCE: Final = "peeps.snapshot.sequence"

# --- findings -------------------------------------------------------------------------------------------------------
FINDING_ID: Final = "peeps.finding.id"
FINDING_KIND: Final = "peeps.finding.kind"
FINDING_LEVEL: Final = "peeps.finding.level"
FINDING_TITLE: Final = "peeps.finding.title"
FINDING_STATE: Final = "peeps.finding.state"
FINDING_SINCE: Final = "peeps.finding.since"
FINDING_CORE: Final = "peeps.finding.core"
FINDING_CYCLE: Final = "peeps.finding.cycle"
FINDING_BLOCKED_COUNT: Final = "peeps.finding.blocked.count"
FINDING_ADVICE: Final = "peeps.finding.advice"
FINDING_EVIDENCE: Final = "peeps.finding.evidence"

FINDING_OPEN: Final = "open"
FINDING_RESOLVED: Final = "resolved"

# --- OpenTelemetry's own names that we use ----------------------------------------------------------------------------
CODE_STACKTRACE: Final = "code.stacktrace"
CODE_FUNCTION_NAME: Final = "code.function.name"
CODE_FILE_PATH: Final = "code.file.path"
CODE_LINE_NUMBER: Final = "code.line.number"
THREAD_ID: Final = "thread.id"
THREAD_NAME: Final = "thread.name"
SERVICE_NAME: Final = "service.name"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
PROCESS_PID: Final = "process.pid"
PROCESS_RUNTIME_NAME: Final = "process.runtime.name"
PROCESS_RUNTIME_VERSION: Final = "process.runtime.version"
HOST_NAME: Final = "host.name"

# --- spans ----------------------------------------------------------------------------------------------------------
SPAN_TASK: Final = "peeps.task"
SPAN_WAIT: Final = "peeps.wait"

# --- metrics --------------------------------------------------------------------------------------------------------
METRIC_TASK_COUNT: Final = "peeps.task.count"
METRIC_WAITER_COUNT: Final = "peeps.waiter.count"
METRIC_FINDING_COUNT: Final = "peeps.finding.count"
METRIC_WATCHER_CPU_TIME: Final = "peeps.watcher.cpu.time"
METRIC_SNAPSHOT_DROPPED: Final = "peeps.snapshot.dropped"

# --- rejected at the collector ----------------------------------------------------------------------------------------
LEGACY_ALIASES: Final = frozenset(
    {
        "request.method",
        "response.method",
        "request.status",
        "response.status",
        "response.state",
        "request.id",
        "request_id",
        "request.correlation_key",
        "response.correlation_key",
        "request.started_at_ns",
        "request.delivered_at_ns",
        "response.started_at_ns",
        "response.created_at_ns",
        "started_at_ns",
        "ctx.location",
        "correlation_key",
        "correlation_id",
        "trace_id",
        "created_at_ns",
    }
)
"""Attribute names of earlier contracts. A `peeps.node` record that carries one, bare or under `peeps.`, is rejected."""
