# SPDX-License-Identifier: Apache-2.0
"""A handful of metrics. Asynchronous instruments over counts that exist anyway; the series are few and bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from opentelemetry.metrics import CallbackOptions, Observation

from .. import semconv
from ..model import Node, NodeKind
from ..version import __version__
from ..watcher.sink import Look


class Metrics:
    """`take` on the watcher thread; the callbacks run on the metric reader's."""

    def __init__(self, provider: Any) -> None:
        self._tasks: Counter[str] = Counter()
        self._waiters: Counter[str] = Counter()
        self._findings: Counter[tuple[str, str]] = Counter()
        self._cpu_ns = 0
        self._dropped = 0
        meter = provider.get_meter(semconv.SCOPE, __version__, schema_url=semconv.SCHEMA_URL)
        meter.create_observable_up_down_counter(
            semconv.METRIC_TASK_COUNT, [self._task_count], "{task}", "Live tasks by state."
        )
        meter.create_observable_up_down_counter(
            semconv.METRIC_WAITER_COUNT, [self._waiter_count], "{task}", "Waiting tasks by what they wait in."
        )
        meter.create_observable_up_down_counter(
            semconv.METRIC_FINDING_COUNT, [self._finding_count], "{finding}", "Open findings by kind and level."
        )
        meter.create_observable_counter(
            semconv.METRIC_WATCHER_CPU_TIME, [self._cpu_time], "s", "CPU time spent on looking."
        )
        meter.create_observable_counter(
            semconv.METRIC_SNAPSHOT_DROPPED, [self._dropped_count], "{snapshot}", "Snapshots that were never delivered."
        )

    def forget(self) -> None:
        """After a fork: the parent's counts are not ours."""
        self._cpu_ns = self._dropped = 0

    def take(self, look: Look) -> None:
        nodes: Iterable[Node] = look.observation.nodes.values()
        tasks = [node for node in nodes if node.kind is NodeKind.TASK]
        self._tasks = Counter(node.state or "unknown" for node in tasks)
        self._waiters = Counter(node.wait.operation for node in tasks if node.wait is not None)
        self._findings = Counter((finding.kind.value, finding.level.value) for finding in look.findings)
        self._cpu_ns += look.snapshot.cpu_ns
        self._dropped = look.snapshot.dropped

    def _task_count(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, {semconv.STATE: state}) for state, count in self._tasks.items()]

    def _waiter_count(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, {semconv.WAIT_OPERATION: name}) for name, count in self._waiters.items()]

    def _finding_count(self, _: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(count, {semconv.FINDING_KIND: kind, semconv.FINDING_LEVEL: level})
            for (kind, level), count in self._findings.items()
        ]

    def _cpu_time(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._cpu_ns / 1e9)]

    def _dropped_count(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._dropped)]
