# SPDX-License-Identifier: Apache-2.0
"""Spans in flight as nodes: what they say, who waits for them, who handles them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

from opentelemetry.trace import Link, Span

from peeps_otel import semconv
from peeps_otel.model import Confidence, EdgeKind, NodeKind, Providers
from peeps_otel.requests.span_facts import context_text
from tests.requests.spans import CLIENT, CONSUMER, PARENT, SERVER, TRACE, World, remote_parent
from tests.support.looks import Look

FROM_AFAR = f"{TRACE:032x}-{PARENT:016x}"


def looked_at(world: World, *coroutines: Callable[[], Awaitable[None]]) -> Look:
    """What a look sees once all of them wait."""

    async def main() -> Look:
        tasks = [asyncio.ensure_future(coroutine()) for coroutine in coroutines]
        await asyncio.sleep(0.01)
        look = world.look()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return look

    return asyncio.run(main())


async def answer() -> None:
    """A wait that leads outside: nobody of the program completes it."""
    await asyncio.get_running_loop().create_future()


def test_a_request_says_where_it_goes_and_who_needs_it() -> None:
    world = World()
    attributes = {"http.request.method": "GET", "url.full": "http://stock:8080/items?q=1", "server.address": "stock"}
    before_ns = time.time_ns()

    async def order() -> None:
        with world.tracer.start_as_current_span("GET", kind=CLIENT, attributes=attributes):
            await answer()

    look = looked_at(world, order)
    (request,) = look.of(NodeKind.REQUEST)
    context = request.attributes[semconv.RPC_SPAN]
    assert request.attributes == {
        semconv.METHOD: "GET /items",
        semconv.CORRELATION: context,
        semconv.RPC_SPAN: context,
        semconv.RPC_SCOPE: "shop.http",
        semconv.RPC_SAMPLED: True,
        semconv.SERVER_ADDRESS: "stock",
        semconv.SERVER_PORT: 8080,
    }
    assert (request.name, request.state, request.providers) == ("GET /items", "pending", Providers.ESTIMATED)
    assert before_ns <= request.created_at <= time.time_ns()
    assert request.source.startswith(f"{__file__}:")
    task = look.task("order")
    (need,) = look.edges(task.id)
    assert (need.kind, need.dst, need.confidence) == (EdgeKind.NEEDS, request.id, Confidence.INFERRED)


def test_a_task_that_waits_for_a_lock_with_a_request_open_waits_for_the_lock() -> None:
    world = World()

    async def order() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        with world.tracer.start_as_current_span("GET", kind=CLIENT):
            await lock.acquire()

    look = looked_at(world, order)
    (lock,), (request,) = look.of(NodeKind.LOCK), look.of(NodeKind.REQUEST)
    assert [edge.dst for edge in look.edges(look.task("order").id)] == [lock.id]
    assert look.edges(request.id) == []


def test_a_task_that_only_lets_time_pass_waits_for_no_request() -> None:
    world = World()

    async def order() -> None:
        with world.tracer.start_as_current_span("GET", kind=CLIENT):
            await asyncio.sleep(60)

    look = looked_at(world, order)
    assert len(look.of(NodeKind.REQUEST)) == 1
    assert look.edges(look.task("order").id) == []


def test_a_response_is_handled_by_the_task_that_runs_it() -> None:
    world = World()

    async def reserve() -> None:
        parent = remote_parent()
        with world.tracer.start_as_current_span("GET /items", context=parent, kind=SERVER):
            await answer()

    look = looked_at(world, reserve)
    (response,) = look.of(NodeKind.RESPONSE)
    assert response.attributes[semconv.CORRELATION] == FROM_AFAR
    (handled,) = look.edges(response.id)
    assert (handled.kind, handled.dst) == (EdgeKind.HANDLED_BY, look.task("reserve").id)


def test_a_response_without_a_caller_has_no_correlation_and_a_consumer_may_name_it_by_a_link() -> None:
    world = World()
    sent = world.tracer.start_span("send")
    alone = world.tracer.start_span("GET", kind=SERVER)
    consumer = world.tracer.start_span("process", kind=CONSUMER, links=[Link(sent.get_span_context())])
    look = world.look()
    correlations = [node.attributes.get(semconv.CORRELATION) for node in look.of(NodeKind.RESPONSE)]
    assert correlations == [None, context_text(sent.get_span_context())]
    for span in (sent, alone, consumer):
        span.end()


def test_both_ends_in_one_process_are_linked() -> None:
    world = World()

    async def order() -> None:
        with world.tracer.start_as_current_span("GET", kind=CLIENT):
            await answer()

    async def stock() -> None:
        await asyncio.sleep(0)
        (live,) = world.spans.spans().values()
        from opentelemetry.trace import set_span_in_context

        parent = set_span_in_context(live.span())  # pyright: ignore[reportArgumentType]  # a span as the program sees it, of a class of ours
        with world.tracer.start_as_current_span("GET", context=parent, kind=SERVER):
            await answer()

    look = looked_at(world, order, stock)
    (request,), (response,) = look.of(NodeKind.REQUEST), look.of(NodeKind.RESPONSE)
    (link,) = look.edges(request.id)
    assert (link.kind, link.dst) == (EdgeKind.RPC_LINK, response.id)


def test_of_two_client_spans_of_one_call_the_inner_one_is_shown() -> None:
    world = World()

    async def order() -> None:
        with (
            world.tracer.start_as_current_span("library", kind=CLIENT),
            world.tracer.start_as_current_span("below it", kind=CLIENT),
        ):
            await answer()

    look = looked_at(world, order)
    assert [node.name for node in look.of(NodeKind.REQUEST)] == ["below it"]


def test_a_request_whose_task_has_ended_is_detached() -> None:
    world = World()

    async def begin() -> object:
        return world.tracer.start_span("GET", kind=CLIENT)

    span = asyncio.run(begin())
    (request,) = world.look().of(NodeKind.REQUEST)
    assert request.state == "detached"
    del span


def test_what_has_not_changed_is_the_same_object_at_the_next_look() -> None:
    world = World()

    async def main() -> tuple[Look, Look, Look]:
        async def order() -> None:
            with world.tracer.start_as_current_span("GET", kind=CLIENT) as span:
                spans.append(span)
                await answer()

        spans: list[Span] = []
        task = asyncio.ensure_future(order())
        await asyncio.sleep(0.01)
        world.look()
        first, second = world.look(), world.look()
        spans[0].set_attribute("server.address", "stock")
        third = world.look()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return first, second, third

    first, second, third = asyncio.run(main())
    for kind in (NodeKind.REQUEST, NodeKind.TASK):
        for one, other in zip(first.of(kind), second.of(kind), strict=True):
            if "main" not in one.name:
                assert one is other
                assert first.observation.edges[one.id] is second.observation.edges[other.id]
    (request,) = third.of(NodeKind.REQUEST)
    assert request.attributes[semconv.SERVER_ADDRESS] == "stock"
    assert request.id == first.of(NodeKind.REQUEST)[0].id


def test_a_stream_is_waited_for_by_who_reads_it_though_a_task_that_is_over_has_begun_it() -> None:
    """As the stock instrumentation of `grpc.aio` does it: an async generator has the span."""
    world = World()

    async def responses(span: Span) -> AsyncGenerator[int]:
        try:
            await answer()
            yield 1
        finally:
            span.end()

    async def begin() -> AsyncGenerator[int]:
        return responses(world.tracer.start_span("/shop.Books/Chat", kind=CLIENT))

    async def read() -> None:
        async for _ in await asyncio.create_task(begin()):
            pass

    look = looked_at(world, read)
    (request,), reader = look.of(NodeKind.REQUEST), look.task("read")
    assert request.state == "pending"
    (need,) = look.edges(reader.id)
    assert (need.kind, need.dst, need.confidence) == (EdgeKind.NEEDS, request.id, Confidence.INFERRED)


def test_a_call_that_nobody_reads_is_detached() -> None:
    world, kept = World(), list[Span]()

    async def begin() -> None:
        kept.append(world.tracer.start_span("/shop.Books/Chat", kind=CLIENT))

    look = looked_at(world, begin, answer)
    (request,) = look.of(NodeKind.REQUEST)
    needed = [edge.dst for edge in look.edges(look.task("answer").id)]
    assert request.state == "detached"
    assert request.id not in needed
    kept[0].end()
