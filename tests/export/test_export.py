# SPDX-License-Identifier: Apache-2.0
"""What a backend gets: events, spans and metrics of a real deadlocked loop, by the SDK's own in-memory exporters."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from peeps_otel import semconv
from peeps_otel.export import snapshot_exporter
from peeps_otel.export.events import Events
from peeps_otel.export.exporters import Exporters
from peeps_otel.export.metrics import Metrics
from peeps_otel.export.otlp import Endpoint
from peeps_otel.export.snapshot_exporter import SnapshotExporter
from peeps_otel.export.spans import Spans, current_span_context
from peeps_otel.model import Snapshot
from peeps_otel.model.wire_decoder import Decoder
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.watcher.thread import Watcher


async def _program(finish: threading.Event, tracer: Any) -> None:
    db, cache = asyncio.Lock(), asyncio.Lock()

    async def one() -> None:
        async with db:
            await asyncio.sleep(0.01)
            async with cache:
                pass

    async def other() -> None:
        async with cache:
            await asyncio.sleep(0.01)
            async with db:
                pass

    async def late(gate: asyncio.Event) -> None:
        with tracer.start_as_current_span("request"):
            await gate.wait()

    async def blocks() -> None:
        time.sleep(0.4)

    await asyncio.create_task(blocks(), name="blocks")
    gate = asyncio.Event()
    stuck = [asyncio.create_task(one(), name="one"), asyncio.create_task(other(), name="other")]
    waiting = asyncio.create_task(late(gate), name="late")
    await asyncio.sleep(0.1)
    gate.set()
    await waiting
    while not finish.is_set():
        await asyncio.sleep(0.01)
    for task in stuck:
        task.cancel()
    await asyncio.wait(stuck)
    await asyncio.sleep(0.3)


class _Backend:
    def __init__(self, snapshots: bool = False) -> None:
        resource = Resource({"service.name": "shop"})
        self.logs, self.spans, self.reader = InMemoryLogRecordExporter(), InMemorySpanExporter(), InMemoryMetricReader()
        self.loggers = LoggerProvider(resource=resource)
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self.logs))
        self.tracers = TracerProvider(resource=resource)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meters = MeterProvider([self.reader], resource=resource)
        self.outlet = Exporters(
            link=None,
            events=Events(self.loggers, "matter", snapshots),
            spans=Spans(self.tracers, 50_000_000),
            metrics=Metrics(self.meters, lambda: {"short": 3, "too_many": 0}),
        )

    def events(self, name: str) -> list[Any]:
        return [r.log_record for r in self.logs.get_finished_logs() if r.log_record.event_name == name]


@pytest.fixture(scope="module")
def backend() -> _Backend:
    """Watches the program above to its end."""
    backend = _Backend(snapshots=True)
    recorder = Recorder(20_000_000)
    recorder.span_context = current_span_context
    context = ProbeContext()
    probe = AsyncioProbe(recorder, context=context)
    probe.install()
    second = 1_000_000_000
    watcher = Watcher(
        CompositeProbe([probe], context),
        recorder,
        backend.outlet,
        cpu_percent=0,
        tasks=probe,
        interval_ns=second // 20,
        key_frame_ns=30 * second,
    )
    finish = threading.Event()
    tracer = backend.tracers.get_tracer("shop")
    loop = threading.Thread(target=lambda: asyncio.run(_program(finish, tracer)))
    try:
        watcher.start()
        loop.start()
        deadline = time.monotonic() + 30
        while not backend.events(semconv.EVENT_FINDING) and time.monotonic() < deadline:
            time.sleep(0.02)
        finish.set()
        loop.join(30)
        while len(backend.events(semconv.EVENT_FINDING)) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)
    finally:
        watcher.stop()
        probe.uninstall()
    return backend


def test_a_finding_is_told_when_it_opens_and_when_it_is_resolved(backend: _Backend) -> None:
    told = backend.events(semconv.EVENT_FINDING)
    opened, resolved = told[0], told[-1]
    title = "one waits for Lock cache, held by other, which waits for Lock db, held by one"
    assert opened.body == f"DEADLOCK, PROVEN: {title}"
    assert resolved.body == f"resolved: {title}"
    states = [record.attributes[semconv.FINDING_STATE] for record in (opened, resolved)]
    assert states == ["open", "resolved"]
    assert opened.severity_text == "ERROR"
    assert opened.timestamp > 0
    assert (opened.trace_id, opened.span_id) == (0, 0)
    assert len(opened.attributes[semconv.FINDING_EVIDENCE]) == 2


def test_the_members_of_a_finding_are_told_as_nodes_with_canonical_attributes(backend: _Backend) -> None:
    nodes = {record.attributes[semconv.NODE_NAME]: record for record in backend.events(semconv.EVENT_NODE)}
    assert {"one", "other", "db", "cache"} <= set(nodes)
    for record in nodes.values():
        assert record.attributes[semconv.CREATED_AT] > 0
        path, _, line = record.attributes[semconv.SOURCE].rpartition(":")
        assert path
        assert line.isdigit()
    one = nodes["one"].attributes
    assert one[semconv.WAIT_OPERATION] == "lock.acquire"
    assert "in _program.<locals>.one" in one[semconv.CODE_STACKTRACE]
    assert [edge["kind"] for edge in one[semconv.EDGES]] == ["needs"]


def test_a_told_node_that_ended_is_told_as_gone(backend: _Backend) -> None:
    gone = {record.attributes[semconv.NODE_NAME] for record in backend.events(semconv.EVENT_NODE_GONE)}
    assert {"one", "other"} <= gone


def test_every_attribute_is_ours_or_opentelemetry_s(backend: _Backend) -> None:
    names = {
        key
        for name in (semconv.EVENT_NODE, semconv.EVENT_NODE_GONE, semconv.EVENT_FINDING)
        for record in backend.events(name)
        for key in record.attributes
    }
    declared = {value for key, value in vars(semconv).items() if key.isupper() and isinstance(value, str)}
    assert names <= declared


def _named(span: ReadableSpan) -> object:
    """How the task is named that a span is about."""
    return (span.attributes or {}).get(semconv.NODE_NAME)


def test_a_long_wait_is_a_span_under_the_span_that_was_current(backend: _Backend) -> None:
    spans = backend.spans.get_finished_spans()
    request = next(span for span in spans if span.name == "request")
    wait = next(s for s in spans if s.name == semconv.SPAN_WAIT and _named(s) == "late")
    assert wait.parent is not None
    assert wait.context is not None
    assert request.context is not None
    assert (wait.parent.span_id, wait.context.trace_id) == (request.context.span_id, request.context.trace_id)
    assert (wait.end_time or 0) - (wait.start_time or 0) >= 20_000_000
    assert wait.attributes is not None
    assert wait.attributes[semconv.CODE_FUNCTION_NAME] == "_program.<locals>.late"


def test_a_long_task_is_a_span(backend: _Backend) -> None:
    names = {_named(span) for span in backend.spans.get_finished_spans() if span.name == semconv.SPAN_TASK}
    assert {"one", "other"} <= names


def test_snapshots_are_ordinary_log_records_that_decode(backend: _Backend) -> None:
    decoder = Decoder()
    snapshots = [decoder.decode(record.body) for record in backend.events(semconv.EVENT_SNAPSHOT)]
    assert [s.sequence for s in snapshots] == list(range(1, len(snapshots) + 1))
    assert snapshots[0].key_frame
    assert "one" in {node.name for snapshot in snapshots for node in snapshot.nodes}


def test_the_metrics(backend: _Backend) -> None:
    data = backend.reader.get_metrics_data()
    assert data is not None
    found = {
        metric.name: metric.unit for r in data.resource_metrics for scope in r.scope_metrics for metric in scope.metrics
    }
    assert found[semconv.METRIC_WATCHER_CPU_TIME] == "s"
    assert set(found) <= {value for key, value in vars(semconv).items() if key.startswith("METRIC_")}


def test_a_stall_is_an_event_when_it_is_over(backend: _Backend) -> None:
    stalls = [s for s in backend.events(semconv.EVENT_LOOP_STALL) if s.attributes.get(semconv.NODE_NAME) == "blocks"]
    assert len(stalls) == 1
    (stall,) = stalls
    assert stall.attributes[semconv.LOOP_STALL_DURATION] >= 100_000_000
    assert stall.attributes[semconv.THREAD_ID] > 0
    assert "in _program.<locals>.blocks" in stall.attributes[semconv.CODE_STACKTRACE].splitlines()[-1]
    assert stall.body.startswith("task blocks kept the event loop of ")
    assert stall.severity_text == "WARN"


def _points(backend: _Backend) -> dict[str, list[Any]]:
    data = backend.reader.get_metrics_data()
    assert data is not None
    return {m.name: list(m.data.data_points) for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}


def test_waits_and_holds_are_histograms_by_line(backend: _Backend) -> None:
    points = _points(backend)
    waits = {str(point.attributes[semconv.SOURCE]): point for point in points[semconv.METRIC_WAIT_DURATION]}
    (gate,) = [p for p in waits.values() if p.attributes[semconv.RESOURCE_TYPE] == "asyncio.Event"]
    assert (gate.count, gate.explicit_bounds[0]) == (1, 0.005)
    assert 0.02 <= gate.sum < 5
    assert all(source.rpartition(":")[2].isdigit() for source in waits)
    holds = points[semconv.METRIC_HOLD_DURATION]
    assert sum(point.count for point in holds) >= 2  # the deadlocked locks, given back when it was broken


def test_what_watching_costs_and_loops_do_is_metrics(backend: _Backend) -> None:
    points = _points(backend)
    assert sum(point.value for point in points[semconv.METRIC_LOOP_STALL_TIME]) >= 0.1
    assert points[semconv.METRIC_WATCHER_CPU_TIME][0].value > 0
    assert points[semconv.METRIC_WATCHER_INTERVAL][0].value == 0.05
    assert {point.attributes[semconv.WATCHER_BUDGET] for point in points[semconv.METRIC_WATCHER_LOAD]} == {
        "cpu",
        "bytes",
    }
    drops = {point.attributes[semconv.DROP_REASON]: point.value for point in points[semconv.METRIC_SPAN_DROPPED]}
    assert drops == {"short": 3, "too_many": 0}
    tasks = {point.attributes[semconv.STATE]: point.value for point in points[semconv.METRIC_TASK_COUNT]}
    assert all(count >= 0 for count in tasks.values())


def test_a_link_without_a_collector_drops_counts_and_asks_for_a_key_frame() -> None:
    asked = threading.Event()
    link = SnapshotExporter(
        Endpoint("http://127.0.0.1:1"), Resource({"service.name": "shop"}), asked.set, protocol_trace=False
    )
    link.send(Snapshot(1, 1, 1, key_frame=True))
    assert asked.wait(30)
    assert link.dropped >= 1
    link.close(0.1)


@pytest.mark.parametrize(("early_s", "told"), [(3600.0, False), (0.0, True)])
def test_a_process_that_ends_at_once_loads_no_exporter_to_say_so(
    monkeypatch: pytest.MonkeyPatch, early_s: float, told: bool
) -> None:
    monkeypatch.setattr(snapshot_exporter, "_EARLY_S", early_s)
    monkeypatch.delitem(sys.modules, "peeps_otel.export.otlp_http", raising=False)
    made = threading.Event()

    class Nowhere(Endpoint):
        def exporters(self) -> Any:
            made.set()
            return self

        def snapshot_exporter(self, *_arguments: object) -> Any:
            return self

        def export(self, _batch: object) -> None: ...

        def shutdown(self) -> None: ...

    link = SnapshotExporter(Nowhere("http://127.0.0.1:1"), Resource({}), lambda: None, protocol_trace=False)
    link.send(Snapshot(1, 1, 1, key_frame=True))
    link.send(Snapshot(1, 2, 2, key_frame=False))
    assert made.wait(30.0 if told else 0.0) is told
    link.close(30.0)
    assert made.is_set() is told
