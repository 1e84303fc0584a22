# SPDX-License-Identifier: Apache-2.0
"""A call that lasts says so to any backend, and in the end how it ended, once."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.trace import Status, StatusCode

from peeps_otel import semconv
from peeps_otel.export.in_flight import InFlight
from peeps_otel.model import Snapshot
from peeps_otel.requests.live_spans import nothing_done
from peeps_otel.watcher.interfaces import CycleResult
from tests.requests.spans import CLIENT, SERVER, World, remote_parent

S = 1_000_000_000


@dataclass
class Story:
    """A program with calls, and what a backend receives of them. `look`: as if it were `later_s` seconds later."""

    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.exporter = InMemoryLogRecordExporter()
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))
        self.in_flight = InFlight(self.loggers, self.world.spans, self.world.probe, 5 * S)

    def look(self, later_s: float) -> None:
        observation = self.world.look().observation
        snapshot = Snapshot(1, 1, time.time_ns() + int(later_s * S), key_frame=False)
        self.in_flight.take(CycleResult(observation, snapshot, [], [], [], [], []))

    def told(self) -> list[Any]:
        records = [one.log_record for one in self.exporter.get_finished_logs()]
        self.exporter.clear()
        return records

    def states(self) -> list[Any]:
        return [one.attributes[semconv.STATE] for one in self.told()]


def test_a_call_that_lasts_says_why_and_in_the_end_how_it_ended() -> None:
    story = Story()

    async def reserve(lock: asyncio.Lock) -> None:
        with story.world.tracer.start_as_current_span("GET /x", context=remote_parent(), kind=SERVER) as span:
            contexts.append(span.get_span_context())
            async with lock:
                pass

    contexts: list[Any] = []

    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        handler = asyncio.create_task(reserve(lock), name="reserve")
        await asyncio.sleep(0.01)
        for later in (1, 6, 7, 12, 37):
            story.look(later)
        lock.release()
        await handler
        story.look(38)
        story.look(39)

    asyncio.run(main())
    told = story.told()
    assert [one.attributes[semconv.STATE] for one in told] == ["pending", "pending", "ok"]
    first, _, last = told
    assert {one.event_name for one in told} == {"peeps.request.in_flight"}
    assert {(one.trace_id, one.span_id) for one in told} == {(contexts[0].trace_id, contexts[0].span_id)}
    assert "reserve waits for Lock " in first.attributes[semconv.RPC_REASON]
    assert first.attributes[semconv.METHOD] == "GET /x"
    assert first.attributes[semconv.RPC_ELAPSED] >= 5 * S
    assert first.body.startswith("response GET /x has been in flight for 6")
    assert last.body.startswith("response GET /x ended: ok, after ")
    assert story.world.spans.on_end is nothing_done


def test_a_short_call_says_nothing() -> None:
    story = Story()
    span = story.world.tracer.start_span("GET", kind=CLIENT)
    story.look(4)
    span.end()
    story.look(10)
    assert story.told() == []


def fails(span: Any) -> None:
    span.set_attribute("error.type", "ReadTimeout")
    span.set_status(Status(StatusCode.ERROR))
    span.end()


def is_cancelled(span: Any) -> None:
    try:
        raise asyncio.CancelledError
    except asyncio.CancelledError:
        span.end()


def ended_by(how: Callable[[Any], None]) -> list[Any]:
    story = Story()
    span = story.world.tracer.start_span("GET", kind=CLIENT)
    story.look(6)
    how(span)
    story.look(7)
    return story.told()


def test_each_end_has_its_state() -> None:
    assert [one.attributes[semconv.STATE] for one in ended_by(fails)] == ["pending", "error"]
    assert ended_by(fails)[1].attributes[semconv.ERROR_TYPE] == "ReadTimeout"
    assert [one.attributes[semconv.STATE] for one in ended_by(is_cancelled)] == ["pending", "cancelled"]


def test_a_span_that_is_dropped_is_lost_and_so_is_one_that_outlives_the_process() -> None:
    story = Story()
    spans = [story.world.tracer.start_span("GET", kind=CLIENT) for _ in range(2)]
    story.look(6)
    spans.pop()
    gc.collect()
    story.look(7)
    assert story.states() == ["pending", "pending", "lost"]
    story.in_flight.end()
    story.in_flight.end()
    assert story.states() == ["lost"]
    spans[0].end()
    story.look(8)
    assert story.states() == []


def test_many_calls_are_told_over_several_looks() -> None:
    story = Story()
    spans = [story.world.tracer.start_span("GET", kind=CLIENT) for _ in range(250)]
    story.look(6)
    story.look(7)
    assert len(story.told()) == 250
    for span in spans:
        span.end()
    story.look(8)
    assert story.states() == ["ok"] * 250
