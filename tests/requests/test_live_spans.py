# SPDX-License-Identifier: Apache-2.0
"""Which spans are kept while they last, and that none is kept longer, changed or broken."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any, cast
from weakref import ref

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanContext, Status, StatusCode

from peeps_otel.requests.live_spans import LiveSpans, nothing_done
from tests.requests.spans import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, World


def test_spans_between_processes_are_kept_until_they_end() -> None:
    world = World()
    spans = {kind: world.tracer.start_span("call", kind=kind) for kind in (CLIENT, SERVER, PRODUCER, CONSUMER)}
    inner = world.tracer.start_span("step", kind=INTERNAL)
    ids = [span.get_span_context().span_id for span in spans.values()]
    assert list(world.spans.spans()) == ids
    spans[CLIENT].end()
    inner.end()
    assert list(world.spans.spans()) == ids[1:]


def test_who_began_it_is_noted() -> None:
    world = World()

    async def call() -> tuple[Any, Any]:
        with world.tracer.start_as_current_span("call", kind=CLIENT):
            (live,) = world.spans.spans().values()
            assert live.task is not None
            return live.task(), asyncio.current_task()

    noted, task = asyncio.run(call())
    assert noted is task
    span = world.tracer.start_span("call", kind=CLIENT)
    (live,) = world.spans.spans().values()
    assert (live.task, live.thread) == (None, threading.get_ident())
    span.end()


def test_a_loop_that_has_moved_to_another_thread_says_nothing_of_the_first() -> None:
    world, loop = World(), asyncio.SelectorEventLoop()
    in_a_step, done = threading.Event(), threading.Event()

    async def call() -> tuple[Any, Any]:
        with world.tracer.start_as_current_span("call", kind=CLIENT):
            return next(iter(world.spans.spans().values())), asyncio.current_task()

    async def step() -> tuple[Any, Any]:
        in_a_step.set()
        done.wait(60)
        return await call()

    live, task = loop.run_until_complete(call())
    assert live.task() is task
    found: list[tuple[Any, Any]] = []
    thread = threading.Thread(target=lambda: found.append(loop.run_until_complete(step())))
    thread.start()
    assert in_a_step.wait(60)
    span = world.tracer.start_span("call", kind=CLIENT)
    (mine,) = world.spans.spans().values()
    assert (mine.task, mine.thread) == (None, threading.get_ident())
    span.end()
    done.set()
    thread.join(60)
    ((live, task),) = found
    assert (live.task(), live.thread) == (task, 0)
    loop.close()


def test_a_span_that_is_dropped_without_an_end_is_not_kept_alive() -> None:
    world = World()
    span = world.tracer.start_span("call", kind=CLIENT)
    dead = ref(span)
    del span
    gc.collect()
    assert dead() is None
    assert world.spans.spans() == {}


def test_a_span_that_has_ended_and_is_kept_is_over() -> None:
    world = World()
    spans = [world.tracer.start_span("call", kind=CLIENT) for _ in range(3)]
    spans[0].end()
    assert list(world.spans.spans()) == [span.get_span_context().span_id for span in spans[1:]]
    kept = len(spans)
    del spans
    gc.collect()
    assert (kept, world.spans.spans()) == (3, {})


def test_spans_that_ended_give_their_room_back() -> None:
    provider, few = TracerProvider(shutdown_on_exit=False), LiveSpans(most=3)
    provider.add_span_processor(few)
    tracer = provider.get_tracer("shop")
    for _ in range(10):
        tracer.start_span("call", kind=CLIENT).end()
    assert few.refused == 0
    kept = [tracer.start_span("call", kind=CLIENT) for _ in range(3)]
    kept[0].end()
    assert len(few.spans()) == 2
    kept.append(tracer.start_span("call", kind=CLIENT))
    assert (len(few.spans()), few.refused) == (3, 0)


def test_an_end_that_other_processors_are_still_told_of_is_no_loss() -> None:
    """The SDK stamps the end, then tells one processor after the other, of which an exporter may take its time."""
    world, at_the_exporter = World(), list[Any]()

    class Exporter(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            assert span.context is not None
            at_the_exporter.append((list(world.spans.spans()), world.spans.take_ended()))

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Exporter())
    provider.add_span_processor(world.spans)
    span = provider.get_tracer("shop").start_span("call", kind=CLIENT)
    span_id = span.get_span_context().span_id
    assert world.spans.watch(span_id) is not None
    span.end()
    assert at_the_exporter == [([span_id], [])]
    assert ([end.span_id for end in world.spans.take_ended()], world.spans.spans()) == ([span_id], {})


def test_what_has_ended_cannot_be_watched() -> None:
    world = World()
    span = world.tracer.start_span("call", kind=CLIENT)
    span.end()
    assert world.spans.watch(span.get_span_context().span_id) is None
    assert world.spans.on_end is nothing_done


def test_beyond_the_most_spans_are_counted() -> None:
    provider, few = TracerProvider(shutdown_on_exit=False), LiveSpans(most=2)
    provider.add_span_processor(few)
    spans = [provider.get_tracer("shop").start_span("call", kind=CLIENT) for _ in range(5)]
    assert (len(few.spans()), few.refused) == (2, 3)
    for span in spans:
        span.end()
    assert few.spans() == {}


def test_a_span_of_another_make_breaks_nothing() -> None:
    spans = LiveSpans()
    spans.on_start(cast("Any", object()))
    spans.on_end(cast("Any", object()))
    assert spans.spans() == {}


def test_a_span_that_keeps_what_it_is_elsewhere_is_noted_by_its_properties() -> None:
    class Other:
        kind, context = CLIENT, SpanContext(7, 11, is_remote=False)
        end_time: int | None = None

    spans, span = LiveSpans(), Other()
    spans.on_start(cast("Any", span))
    assert list(spans.spans()) == [11]
    span.end_time = 1
    spans.on_end(cast("Any", span))
    assert spans.spans() == {}


def test_after_the_end_nothing_is_noted() -> None:
    world = World()
    world.spans.stop()
    span = world.tracer.start_span("call", kind=CLIENT)
    assert world.spans.spans() == {}
    span.end()


def test_the_ends_that_are_watched_are_told_with_their_state() -> None:
    world = World()

    async def cancelled() -> None:
        with world.tracer.start_as_current_span("cancelled", kind=CLIENT) as span:
            world.spans.watch(span.get_span_context().span_id)
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(cancelled())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    fine, failed, unwatched = (world.tracer.start_span(name, kind=CLIENT) for name in ("fine", "failed", "other"))
    for span in (fine, failed):
        assert world.spans.watch(span.get_span_context().span_id) is not None
    failed.set_attribute("error.type", "ConnectTimeout")
    failed.set_status(Status(StatusCode.ERROR))
    for span in (fine, failed, unwatched):
        span.end()
    asyncio.run(main())
    assert [(end.state, end.error) for end in world.spans.take_ended()] == [
        ("ok", ""),
        ("error", "ConnectTimeout"),
        ("cancelled", ""),
    ]
