# SPDX-License-Identifier: Apache-2.0
"""What waits, as metrics. Asynchronous instruments over counts that exist anyway; the series are few and bounded.

OpenTelemetry has no asynchronous histogram, and a synchronous one may not be written from a callback. So the two
histograms are ordinary ones, recorded on the watcher's thread after each look: no call of the metrics API is ever made
on a thread of the program.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opentelemetry.metrics import CallbackOptions, Observation

from .. import semconv
from ..model import Edge, EdgeKind, Node, NodeKind, own_line
from ..model.change import Change
from ..probes.source import source_text
from ..version import __version__
from ..watcher.interfaces import CycleResult, WatcherStats

CHANGES = (
    Change(
        "our meter provider and the program's",
        "a meter with asynchronous instruments: a reader that is there calls our functions for their values",
        "at the start",
        "they stay for as long as the provider, and say nothing more",
        "`PEEPS_METRICS`",
    ),
)
_RECORDS_MOST = 200  # of each histogram per look: 10 us each
_SITES_MOST = 500
_OTHER = "other"
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_Callback = Callable[[CallbackOptions], Iterable[Observation]]


class Metrics:
    """`take` on the watcher thread; the callbacks run on the metric reader's.

    One per process and provider, which keeps an instrument for good: a forked child goes on with this one (`begin`).
    """

    def __init__(self, provider: Any, span_drops: Callable[[], Mapping[str, int]] = dict) -> None:
        self.begin(span_drops)
        meter = provider.get_meter(semconv.SCOPE, __version__, schema_url=semconv.SCHEMA_URL)

        def observable(create: Any, name: str, callback: _Callback, unit: str, description: str) -> None:
            create(name, [callback], unit, description)

        up_down, counter = meter.create_observable_up_down_counter, meter.create_observable_counter
        gauge = meter.create_observable_gauge
        observable(up_down, semconv.METRIC_TASK_COUNT, self._task_count, "{task}", "Live tasks by state.")
        observable(up_down, semconv.METRIC_THREAD_COUNT, self._thread_count, "{thread}", "Threads by state.")
        observable(
            up_down, semconv.METRIC_WAITER_COUNT, self._waiter_count, "{task}", "Waiting tasks by what they wait in."
        )
        observable(
            up_down, semconv.METRIC_FINDING_COUNT, self._finding_count, "{finding}", "Open findings by kind and level."
        )
        observable(
            counter,
            semconv.METRIC_FINDING_REFUTED,
            self._refuted_count,
            "{finding}",
            "Findings that were withdrawn because a member went on.",
        )
        observable(
            up_down,
            semconv.METRIC_CHANNEL_DEPTH,
            self._channel_depth,
            "{item}",
            "Items in queues, by where they were made.",
        )
        observable(
            up_down,
            semconv.METRIC_EXECUTOR_DEPTH,
            self._executor_depth,
            "{item}",
            "Work items that no worker has begun.",
        )
        observable(
            gauge, semconv.METRIC_LOOP_LAG, self._loop_lag, "s", "The longest lag of a busy event loop, of late."
        )
        observable(
            counter, semconv.METRIC_LOOP_STALL_TIME, self._stall_time, "s", "Time in callbacks of 100 ms and more."
        )
        observable(counter, semconv.METRIC_WATCHER_CPU_TIME, self._cpu_time, "s", "CPU time spent on looking.")
        observable(gauge, semconv.METRIC_WATCHER_INTERVAL, self._interval, "s", "Time between two looks.")
        observable(gauge, semconv.METRIC_WATCHER_SHED, self._shed, "1", "Steps of detail that are left out.")
        observable(gauge, semconv.METRIC_WATCHER_LOAD, self._load, "1", "What watching spends of its budgets.")
        observable(counter, semconv.METRIC_SNAPSHOT_IO, self._sent, "By", "Bytes of snapshots that were sent.")
        observable(
            counter, semconv.METRIC_SNAPSHOT_DROPPED, self._dropped_count, "{snapshot}", "Snapshots never delivered."
        )
        observable(
            counter,
            semconv.METRIC_SPAN_DROPPED,
            self._span_drop_count,
            "{span}",
            "Ended tasks and waits without a span.",
        )
        self._waits = meter.create_histogram(
            semconv.METRIC_WAIT_DURATION,
            "s",
            "Waits of at least PEEPS_SPAN_WAIT_MS.",
            explicit_bucket_boundaries_advisory=_BOUNDS,
        )
        self._holds = meter.create_histogram(
            semconv.METRIC_HOLD_DURATION,
            "s",
            "Holds that at least one look saw.",
            explicit_bucket_boundaries_advisory=_BOUNDS,
        )

    def begin(self, span_drops: Callable[[], Mapping[str, int]]) -> None:
        """Counts from nothing. `span_drops`: tasks and waits that did not become spans, by reason."""
        self._span_drops = span_drops
        self._count_anew()
        self._findings: Counter[tuple[str, str]] = Counter()
        self._refuted: Counter[tuple[str, str]] = Counter()
        self._lags: dict[str, int] = {}
        self._stalled_ns: Counter[str] = Counter()
        self._upkeep = WatcherStats()
        self._dropped = 0
        self._sites: set[str] = set()

    def _count_anew(self) -> None:
        self._tasks: Counter[str] = Counter()
        self._threads: Counter[str] = Counter()
        self._waiters: Counter[str] = Counter()
        self._channels: dict[str, Node] = {}
        self._executors: dict[str, Node] = {}
        self._held: dict[str, tuple[Edge, ...]] = {}

    def take(self, look: CycleResult) -> None:
        if look.snapshot.sequence == 1:  # a new stream: all that there is counts as new
            self._count_anew()
        for before, after in look.difference.changed:
            if before is not None:
                self._count(before, -1)
            self._count(after, 1)
        for node in look.difference.gone:
            self._count(node, -1)
        self._findings = Counter((finding.kind.value, finding.level.value) for finding in look.findings)
        self._refuted.update((one.finding.kind.value, one.finding.level.value) for one in look.refuted)
        for name, lag_ns in look.lags.items():
            self._lags[name] = max(self._lags.get(name, 0), lag_ns)
        for stall in look.stalls:
            self._stalled_ns[stall.thread_name] += stall.duration_ns
        self._upkeep = look.upkeep
        self._dropped = look.snapshot.dropped
        if look.upkeep.histograms:
            self._record_waits(look)
            self._record_holds(look)

    def _count(self, node: Node, sign: int) -> None:
        """Adds a node to the counts, or takes it off: only what has changed costs anything."""
        if node.kind is NodeKind.TASK:
            self._tasks[node.state or "unknown"] += sign
            if node.wait is not None:
                self._waiters[node.wait.operation] += sign
        elif node.kind is NodeKind.THREAD:
            self._threads[node.state or "unknown"] += sign
        elif node.kind in (NodeKind.TX, NodeKind.EXECUTOR):
            table = self._channels if node.kind is NodeKind.TX else self._executors
            if sign > 0:
                table[node.id] = node
            else:
                table.pop(node.id, None)

    # --- histograms ---------------------------------------------------------------------------------------------------

    def _record_waits(self, look: CycleResult) -> None:
        for wait in look.long_waits[:_RECORDS_MOST]:
            primitive = wait.resource()
            attributes = {semconv.SOURCE: self._site(source_text.source_of(wait.code, wait.lasti))}
            if primitive is not None:
                attributes[semconv.RESOURCE_TYPE] = f"asyncio.{type(primitive).__name__}"
            self._waits.record(max(0, wait.ended_ns - wait.began_ns) / 1e9, attributes)

    def _record_holds(self, look: CycleResult) -> None:
        """A hold has ended where its edge is gone: between the look before and this one."""
        recorded = 0
        touched = [node.id for _, node in look.difference.changed] + [node.id for node in look.difference.gone]
        for node_id in touched:
            before = self._held.pop(node_id, ())
            now = tuple(edge for edge in look.observation.edges.get(node_id, ()) if edge.kind is EdgeKind.HELD_BY)
            if now:
                self._held[node_id] = now
            still = {(edge.dst, edge.since_ns) for edge in now}
            for edge in before:
                if edge.since_ns is None or (edge.dst, edge.since_ns) in still or recorded >= _RECORDS_MOST:
                    continue
                recorded += 1
                half_ns = look.snapshot.interval_ns // 2  # it ended at some time since the look before
                held_ns = max(0, look.snapshot.time_ns - edge.since_ns - half_ns)
                self._holds.record(held_ns / 1e9, {semconv.SOURCE: self._site(edge.source or own_line.UNKNOWN)})

    def _site(self, source: str) -> str:
        """The line, as long as there are not too many of them for a metric."""
        if source not in self._sites:
            if len(self._sites) >= _SITES_MOST:
                return _OTHER
            self._sites.add(source)
        return source

    # --- callbacks ----------------------------------------------------------------------------------------------------

    def _task_count(self, _: CallbackOptions) -> Iterable[Observation]:
        return _observations(self._tasks, semconv.STATE)

    def _thread_count(self, _: CallbackOptions) -> Iterable[Observation]:
        return _observations(self._threads, semconv.STATE)

    def _waiter_count(self, _: CallbackOptions) -> Iterable[Observation]:
        return _observations(self._waiters, semconv.WAIT_OPERATION)

    def _finding_count(self, _: CallbackOptions) -> Iterable[Observation]:
        return self._by_kind_and_level(self._findings)

    def _refuted_count(self, _: CallbackOptions) -> Iterable[Observation]:
        return self._by_kind_and_level(self._refuted)

    @staticmethod
    def _by_kind_and_level(counts: Counter[tuple[str, str]]) -> Iterable[Observation]:
        return [
            Observation(count, {semconv.FINDING_KIND: kind, semconv.FINDING_LEVEL: level})
            for (kind, level), count in list(counts.items())
        ]

    def _channel_depth(self, _: CallbackOptions) -> Iterable[Observation]:
        return self._depths(self._channels, semconv.CHANNEL_LENGTH, semconv.SOURCE, lambda node: node.source)

    def _executor_depth(self, _: CallbackOptions) -> Iterable[Observation]:
        return self._depths(self._executors, semconv.EXECUTOR_QUEUED, semconv.NODE_NAME, lambda node: node.name)

    @staticmethod
    def _depths(
        table: dict[str, Node], attribute: str, key: str, label: Callable[[Node], str]
    ) -> Iterable[Observation]:
        depths: Counter[str] = Counter()
        for node in list(table.values()):
            length = node.attributes.get(attribute)
            if isinstance(length, int):
                depths[label(node) if len(depths) < _SITES_MOST else _OTHER] += length
        return [Observation(depth, {key: name}) for name, depth in depths.items()]

    def _loop_lag(self, _: CallbackOptions) -> Iterable[Observation]:
        lags, self._lags = self._lags, {}
        return [Observation(lag_ns / 1e9, {semconv.THREAD_NAME: name}) for name, lag_ns in lags.items()]

    def _stall_time(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(ns / 1e9, {semconv.THREAD_NAME: name}) for name, ns in list(self._stalled_ns.items())]

    def _cpu_time(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._upkeep.cpu_ns / 1e9)]

    def _interval(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._upkeep.interval_ns / 1e9)] if self._upkeep.interval_ns else []

    def _shed(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._upkeep.steps_shed)]

    def _load(self, _: CallbackOptions) -> Iterable[Observation]:
        loads = (("cpu", self._upkeep.cpu_load), ("bytes", self._upkeep.byte_load))
        return [Observation(load, {semconv.WATCHER_BUDGET: budget}) for budget, load in loads]

    def _sent(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._upkeep.sent)]

    def _dropped_count(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._dropped)]

    def _span_drop_count(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, {semconv.DROP_REASON: reason}) for reason, count in self._span_drops().items()]


def _observations(counts: Counter[str], attribute: str) -> list[Observation]:
    return [Observation(count, {attribute: name}) for name, count in list(counts.items())]
