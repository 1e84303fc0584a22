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
EVENT_LEAKS: Final = "peeps.leaks"
EVENT_LOOKED: Final = "peeps.looked"
EVENT_CUT: Final = "peeps.cut"
EVENT_STACKS: Final = "peeps.stacks"
EVENT_LOOP_STALL: Final = "peeps.loop.stall"
EVENT_REQUEST_IN_FLIGHT: Final = "peeps.request.in_flight"
EVENT_PROVIDER_FAULT: Final = "peeps.provider.fault"

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

# --- requests and responses -------------------------------------------------------------------------------------------
RPC_SPAN: Final = "peeps.rpc.span"
RPC_SCOPE: Final = "peeps.rpc.scope"
RPC_SAMPLED: Final = "peeps.rpc.sampled"
RPC_ELAPSED: Final = "peeps.rpc.elapsed"
RPC_REASON: Final = "peeps.rpc.reason"
RPC_JOIN: Final = "peeps.rpc.join"
RPC_SERVICE: Final = "peeps.rpc.service"

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
TASK_THREAD: Final = "peeps.task.thread"
TASK_CANCEL_REQUESTS: Final = "peeps.task.cancel_requests"
TASK_CANCELLED_BY: Final = "peeps.task.cancelled_by"
CHANNEL_LENGTH: Final = "peeps.channel.length"
CHANNEL_CAPACITY: Final = "peeps.channel.capacity"
CHANNEL_WAITERS: Final = "peeps.channel.waiters"
CHANNEL_UNFINISHED: Final = "peeps.channel.unfinished"
CHANNEL_TYPE: Final = "peeps.channel.type"
SEMAPHORE_PERMITS: Final = "peeps.semaphore.permits"
SEMAPHORE_AVAILABLE: Final = "peeps.semaphore.available"
POOL_IN_USE: Final = "peeps.pool.in_use"
POOL_LOST: Final = "peeps.pool.lost"
RESOURCE_TYPE: Final = "peeps.resource.type"
RESOURCE_NAME: Final = "peeps.resource.name"
WAKER_NAME: Final = "peeps.waker.name"
WAKER_SOURCE: Final = "peeps.waker.source"
RESOURCE_WAITERS: Final = "peeps.resource.waiters"
COULD_END_ASKED: Final = "peeps.could_end.asked"
COULD_END_OUTSIDE: Final = "peeps.could_end.outside"
COULD_END_OPEN: Final = "peeps.could_end.open"
COULD_END_BY: Final = "peeps.could_end.by"
WAIT_LOST: Final = "peeps.wait.lost"
DIED_AS: Final = "peeps.died.as"
DIED_OF: Final = "peeps.died.of"
DIED_AT: Final = "peeps.died.at"
DIED_MESSAGE: Final = "peeps.died.message"
LOCK_LOCKED: Final = "peeps.lock.locked"
LOCK_FORK_HOLDER: Final = "peeps.lock.fork_holder"
LOCK_FORK_HOLDER_EXACT: Final = "peeps.lock.fork_holder_exact"
EVENT_IS_SET: Final = "peeps.event.is_set"
LOOP_ID: Final = "peeps.loop.id"
THREAD_NATIVE_ID: Final = "peeps.thread.native_id"
THREAD_DAEMON: Final = "peeps.thread.daemon"
THREAD_ENDING: Final = "peeps.thread.ending"
THREAD_CPU_TIME: Final = "peeps.thread.cpu_time"
THREAD_CALL: Final = "peeps.thread.call"
THREAD_CALL_SINCE: Final = "peeps.thread.call_since"
EXECUTOR_WORKER_COUNT: Final = "peeps.executor.worker_count"
EXECUTOR_WORKER_LIMIT: Final = "peeps.executor.worker_limit"
EXECUTOR_QUEUED: Final = "peeps.executor.queued"
EXECUTOR_POSITION: Final = "peeps.executor.position"
LOOP_STALLED_SINCE: Final = "peeps.loop.stalled_since"
LOOP_ASLEEP_SINCE: Final = "peeps.loop.asleep_since"
LOOP_MAY_WAKE: Final = "peeps.loop.may_wake"
LOOP_STALL_DURATION: Final = "peeps.loop.stall.duration"
TASK_STEP_SINCE: Final = "peeps.task.step_since"
TASK_STEP_LONGEST: Final = "peeps.task.step.longest"
TASK_STEP_TOTAL: Final = "peeps.task.step.total"
TASK_STEP_COUNT: Final = "peeps.task.step.count"
TASK_STEP_STACK: Final = "peeps.task.step.stack"
TASK_STEP_EXACT: Final = "peeps.task.step.exact"
TASK_SELF_WAKES: Final = "peeps.task.self_wakes"
IO_FD: Final = "peeps.io.fd"
RESOURCE_LOST_WITH: Final = "peeps.resource.lost_with"
IO_UNSENT: Final = "peeps.io.unsent"
IO_UNMOVED_SINCE: Final = "peeps.io.unmoved_since"
COMMAND_PID: Final = "peeps.command.pid"
COMMAND_FULL_PIPE: Final = "peeps.command.full_pipe"

# --- a silent process ----------------------------------------------------------------------------------------------
SILENT_SINCE: Final = "peeps.silent.since"
SILENT_UNTIL: Final = "peeps.silent.until"

# --- registered providers --------------------------------------------------------------------------------------------
PROVIDER_NAME: Final = "peeps.provider.name"
PROVIDER_KIND: Final = "peeps.provider.kind"
PROVIDER_REASON: Final = "peeps.provider.reason"
PROVIDER_ATTRIBUTES: Final = "peeps.provider.attributes"
RPC_ID: Final = "peeps.rpc.id"
RPC_CONNECTION: Final = "peeps.rpc.connection"
RPC_STAGE: Final = "peeps.rpc.stage"
RPC_HANDLED_AT: Final = "peeps.rpc.handled_at"
RPC_DEADLINE: Final = "peeps.rpc.deadline"
RPC_ARGUMENTS: Final = "peeps.rpc.arguments"
CONNECTION_ID: Final = "peeps.connection.id"
CONNECTION_LOCAL: Final = "peeps.connection.local"
CONNECTION_PEER: Final = "peeps.connection.peer"
CONNECTION_TRANSPORT: Final = "peeps.connection.transport"
CONNECTION_CLOSED_AT: Final = "peeps.connection.closed_at"
CONNECTION_LIMITS: Final = "peeps.connection.limits"
CONNECTION_FRAMES_SENT: Final = "peeps.connection.frames_sent"
CONNECTION_FRAMES_RECEIVED: Final = "peeps.connection.frames_received"
CONNECTION_BYTES_SENT: Final = "peeps.connection.bytes_sent"
CONNECTION_BYTES_RECEIVED: Final = "peeps.connection.bytes_received"
CONNECTION_LAST_SENT: Final = "peeps.connection.last_sent"
CONNECTION_LAST_RECEIVED: Final = "peeps.connection.last_received"
CONNECTION_PENDING_OUT: Final = "peeps.connection.pending_out"
CONNECTION_PENDING_IN: Final = "peeps.connection.pending_in"
CONNECTION_QUEUED: Final = "peeps.connection.queued"
CONNECTION_COMPLETED: Final = "peeps.connection.completed"
CONNECTION_RECENT: Final = "peeps.connection.recent"
CONNECTION_HEALTH: Final = "peeps.connection.health"
CHANNEL_ID: Final = "peeps.channel.id"
CHANNEL_REQUEST: Final = "peeps.channel.request"
CHANNEL_CREDIT: Final = "peeps.channel.credit"
CHANNEL_CREDIT_MOST: Final = "peeps.channel.credit_most"
CHANNEL_ITEMS: Final = "peeps.channel.items"
CHANNEL_BYTES: Final = "peeps.channel.bytes"
SHM_PART: Final = "peeps.shm.part"
SHM_SEGMENT: Final = "peeps.shm.segment"
SHM_SIZE: Final = "peeps.shm.size"
SHM_USED: Final = "peeps.shm.used"
SHM_PEERS_MOST: Final = "peeps.shm.peers_most"
SHM_OWNER: Final = "peeps.shm.owner"
SHM_GOODBYE: Final = "peeps.shm.goodbye"
SHM_PEER: Final = "peeps.shm.peer"
SHM_PEER_PID: Final = "peeps.shm.peer_pid"
SHM_EPOCH: Final = "peeps.shm.epoch"
SHM_HEARTBEAT_AT: Final = "peeps.shm.heartbeat_at"
SHM_RING_OUT_CAPACITY: Final = "peeps.shm.ring_out_capacity"
SHM_RING_OUT_USED: Final = "peeps.shm.ring_out_used"
SHM_RING_IN_CAPACITY: Final = "peeps.shm.ring_in_capacity"
SHM_RING_IN_USED: Final = "peeps.shm.ring_in_used"
SHM_PENDING_SLOTS: Final = "peeps.shm.pending_slots"
SHM_CALLS_SENT: Final = "peeps.shm.calls_sent"
SHM_CALLS_RECEIVED: Final = "peeps.shm.calls_received"
SHM_BYTES_SENT: Final = "peeps.shm.bytes_sent"
SHM_BYTES_RECEIVED: Final = "peeps.shm.bytes_received"
SHM_SLOT_SIZE: Final = "peeps.shm.slot_size"

# --- snapshots ------------------------------------------------------------------------------------------------------
STREAM_ID: Final = "peeps.stream.id"
SEQUENCE: Final = "peeps.snapshot.sequence"
WATCHER_BUDGET: Final = "peeps.watcher.budget"
DROP_REASON: Final = "peeps.drop.reason"

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
FINDING_BLOCKED_SITES: Final = "peeps.finding.blocked.sites"
FINDING_BREAK_FIRST: Final = "peeps.finding.break_first"
FINDING_LOOK_AT: Final = "peeps.finding.look_at"
FINDING_REFUTED_BY: Final = "peeps.finding.refuted_by"
FINDING_SEAL: Final = "peeps.finding.seal"
FINDING_ALIKE_COUNT: Final = "peeps.finding.alike.count"
FINDING_ALIKE_EXAMPLES: Final = "peeps.finding.alike.examples"

# --- leak checks ----------------------------------------------------------------------------------------------------
CUT_REQUEST: Final = "peeps.cut.request"
CUT_TIME: Final = "peeps.cut.time"
LOOKED_REQUEST: Final = "peeps.looked.request"
LOOKED_ASKED: Final = "peeps.looked.asked"
LOOKED_FINDINGS: Final = "peeps.looked.findings"
LOOKED_NOT_ASKED: Final = "peeps.looked.not_asked"
LEAKS_REQUEST: Final = "peeps.leaks.request"
LEAKS_TASKS: Final = "peeps.leaks.tasks"
LEAKS_BLOCKED: Final = "peeps.leaks.blocked"
LEAKS_OBJECTS: Final = "peeps.leaks.objects"
LEAKS_DURATION: Final = "peeps.leaks.duration"
LEAKS_PAUSE: Final = "peeps.leaks.pause"
LEAKS_FINDINGS: Final = "peeps.leaks.findings"
LEAKS_IN_PROCESS: Final = "peeps.leaks.in_process"
LEAKS_NOT_RUN: Final = "peeps.leaks.not_run"

# --- problems an event loop was told of -------------------------------------------------------------------------------
PROBLEM: Final = "peeps.problem.kind"
PROBLEM_COUNT: Final = "peeps.problem.count"
PROBLEM_MESSAGE: Final = "peeps.problem.message"
PROBLEM_EXCEPTION: Final = "peeps.problem.exception"
PROBLEM_LAST: Final = "peeps.problem.last"

FINDING_OPEN: Final = "open"
FINDING_RESOLVED: Final = "resolved"
FINDING_REFUTED: Final = "refuted"

# --- OpenTelemetry's own names that we use ----------------------------------------------------------------------------
STACK_LIBRARIES: Final = "peeps.stack.libraries"
ERROR_TYPE: Final = "error.type"
CODE_STACKTRACE: Final = "code.stacktrace"
CODE_FUNCTION_NAME: Final = "code.function.name"
CODE_FILE_PATH: Final = "code.file.path"
CODE_LINE_NUMBER: Final = "code.line.number"
THREAD_ID: Final = "thread.id"
THREAD_NAME: Final = "thread.name"
SERVICE_NAME: Final = "service.name"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
PROCESS_PID: Final = "process.pid"
PROCESS_WORKING_DIRECTORY: Final = "process.working_directory"
PROCESS_STATE: Final = "process.state"
PROCESS_RUNTIME_NAME: Final = "process.runtime.name"
PROCESS_RUNTIME_VERSION: Final = "process.runtime.version"
HOST_NAME: Final = "host.name"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
CLIENT_ADDRESS: Final = "client.address"
NETWORK_PEER_ADDRESS: Final = "network.peer.address"
NETWORK_PEER_PORT: Final = "network.peer.port"

# --- spans ----------------------------------------------------------------------------------------------------------
SPAN_TASK: Final = "peeps.task"
SPAN_WAIT: Final = "peeps.wait"

# --- metrics --------------------------------------------------------------------------------------------------------
METRIC_TASK_COUNT: Final = "peeps.task.count"
METRIC_WAITER_COUNT: Final = "peeps.waiter.count"
METRIC_FINDING_COUNT: Final = "peeps.finding.count"
METRIC_FINDING_REFUTED: Final = "peeps.finding.refuted"
METRIC_WATCHER_CPU_TIME: Final = "peeps.watcher.cpu.time"
METRIC_WATCHER_INTERVAL: Final = "peeps.watcher.interval"
METRIC_WATCHER_SHED: Final = "peeps.watcher.shed"
METRIC_WATCHER_LOAD: Final = "peeps.watcher.load"
METRIC_SNAPSHOT_DROPPED: Final = "peeps.snapshot.dropped"
METRIC_SNAPSHOT_IO: Final = "peeps.snapshot.io"
METRIC_SPAN_DROPPED: Final = "peeps.span.dropped"
METRIC_WAIT_DURATION: Final = "peeps.wait.duration"
METRIC_HOLD_DURATION: Final = "peeps.hold.duration"
METRIC_LOOP_LAG: Final = "peeps.loop.lag"
METRIC_LOOP_STALL_TIME: Final = "peeps.loop.stall.time"
METRIC_CHANNEL_DEPTH: Final = "peeps.channel.depth"
METRIC_EXECUTOR_DEPTH: Final = "peeps.executor.depth"
METRIC_THREAD_COUNT: Final = "peeps.thread.count"

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
