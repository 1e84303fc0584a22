# SPDX-License-Identifier: Apache-2.0
"""Which spans are kept while they last, and that none is kept longer, changed or broken."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any, cast
from weakref import ref

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanContext, Status, StatusCode

from peeps_otel.requests.live_spans import LiveSpans
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
    assert (live.task(), live.thread) == (task, thread.ident)
    loop.close()


def test_a_span_that_is_dropped_without_an_end_is_not_kept_alive() -> None:
    world = World()
    span = world.tracer.start_span("call", kind=CLIENT)
    dead = ref(span)
    del span
    gc.collect()
    assert dead() is None
    assert world.spans.spans() == {}


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

    spans, span = LiveSpans(), Other()
    spans.on_start(cast("Any", span))
    assert list(spans.spans()) == [11]
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
            world.spans.watched.add(span.get_span_context().span_id)
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(cancelled())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    fine, failed, unwatched = (world.tracer.start_span(name, kind=CLIENT) for name in ("fine", "failed", "other"))
    world.spans.watched.update(span.get_span_context().span_id for span in (fine, failed))
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
