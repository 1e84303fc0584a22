# SPDX-License-Identifier: Apache-2.0
"""A call that is in flight for too long is told with who sent it and what its handler does; one that is meant to stay
open, or whose other end goes on, is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Frame, Node, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World

HOUR = 3600
REQUEST = "request:take"
GRPC = Frame("StreamStreamCall.read", "/lib/grpc/aio/_call.py", 7, "grpcio")


def call(method: str = "shop.Stock/Take", deadline: int | None = None, **attributes: AttributeValue) -> World:
    """A task `order` that waits for the answer of a call."""
    world = World()
    named: dict[str, AttributeValue] = {key.replace("__", "."): value for key, value in attributes.items()}
    named[semconv.METHOD] = method
    world.nodes[REQUEST] = Node(
        REQUEST, NodeKind.REQUEST, method, START, "/srv/shop/app/main.py:7", providers=Providers.ESTIMATED,
        state="pending", attributes=named,
    )  # fmt: skip
    world.task("order", REQUEST, operation="request", deadline=deadline)
    return world


def handled(world: World, handler: str) -> World:
    """`handler` runs the handler of the call."""
    response = replace(world.nodes[REQUEST], id="response:take", kind=NodeKind.RESPONSE)
    world.nodes[response.id] = response
    world.edges.append(Edge(EdgeKind.RPC_LINK, REQUEST, response.id))
    world.edges.append(Edge(EdgeKind.HANDLED_BY, response.id, handler))
    return world


def asleep(world: World, seconds: float) -> World:
    return handled(world, world.task("reserve", operation="sleep", deadline=START + int(seconds * SECOND)))


def unseen(join: str, method: str = "GET /stock", **more: AttributeValue) -> World:
    return call(method, None, peeps__rpc__join=join, server__address="10.0.0.7", **more)


def said(world: World, after_s: float) -> list[tuple[str, str]]:
    diagnoser = Diagnoser()
    looks = [diagnoser.look(world.graph(), START + int(one * SECOND)) for one in (after_s - 1, after_s)]
    return [(one.level, one.title) for one in looks[-1] if one.kind == "call_unanswered"]


def test_a_handler_that_sleeps_is_named_with_its_line() -> None:
    world = asleep(call(), HOUR)
    title = "order waits for request shop.Stock/Take, whose handler reserve sleeps at app/work.py:2"
    assert said(world, 9) == []
    assert said(world, 12) == [("SLOW", title)]
    assert said(world, 31) == [("SUSPECT", title)]


def test_both_lines_are_in_the_finding() -> None:
    world = asleep(call(), HOUR)
    diagnoser = Diagnoser()
    (finding,) = [diagnoser.look(world.graph(), START + one * SECOND) for one in (11, 12)][-1]
    assert finding.look_at == "/srv/shop/app/work.py:2"
    (step,) = finding.evidence
    assert (step.waiter, step.resource, step.holder) == ("task:order", REQUEST, "task:reserve")
    assert (step.wait_source, step.holder_doing) == ("/srv/shop/app/work.py:1", "sleeps at app/work.py:2")
    assert finding.core == ["task:order", REQUEST, "task:reserve"]


def test_a_sleep_that_ends_soon_is_no_more_than_slow() -> None:
    assert [level for level, _ in said(asleep(call(), 120), 60)] == ["SLOW"]
    assert said(asleep(call(), 65), 60) == []


@pytest.mark.parametrize(
    ("join", "words"),
    [
        ("peer_not_attached", "whose receiver does not report"),
        ("not_received", "which nobody who reports has received"),
        ("finished_on_one_side", "whose handler is done, and the answer has not come"),
    ],
)
def test_without_a_handler_it_says_what_is_known(join: str, words: str) -> None:
    world = unseen(join)
    assert said(world, 29) == []
    assert said(world, 31) == [("SLOW", f"order waits for request GET /stock, {words}")]
    assert [level for level, _ in said(world, 901)] == ["SUSPECT"]


def test_who_waits_for_the_task_of_a_library_is_named_in_its_place() -> None:
    world = unseen("not_received")
    inner = world.nodes["task:order"]
    assert inner.wait is not None
    inner.name, inner.wait.source = "Call._invoke", "in grpcio"
    world.task("checkout", inner.id, operation="task")
    assert said(world, 31) == [("SLOW", "checkout waits for request GET /stock, which nobody who reports has received")]


def test_a_process_alone_does_not_know_the_other_end() -> None:
    assert said(call(), HOUR) == []


def test_a_statement_of_a_database_may_take_hours() -> None:
    assert [level for level, _ in said(unseen("peer_not_attached", "SELECT"), HOUR)] == ["SLOW"]


def test_a_handler_in_a_call_that_blocks_is_told_later() -> None:
    world = call()
    handled(world, world.task("reserve", world.resource(NodeKind.IO, "10.0.0.8:1521"), operation="socket.recv"))
    assert said(world, 29) == []
    ((level, title),) = said(world, HOUR)
    assert (level, "whose handler reserve waits for io 10.0.0.8:1521 at app/work.py" in title) == ("SLOW", True)


def test_what_a_handler_waits_for_in_the_program_is_told_of_by_itself() -> None:
    for kind in (NodeKind.RX, NodeKind.EVENT, NodeKind.CONDITION, NodeKind.FUTURE):
        world = call()
        handled(world, world.task("reserve", world.resource(kind, "thing", providers=Providers.OPEN)))
        assert said(world, HOUR) == [], kind


def test_a_handler_that_runs_goes_on() -> None:
    world = call()
    assert said(handled(world, world.task("reserve")), HOUR) == []


def test_so_does_one_that_sleeps_again_and_again() -> None:
    world = call()
    since = START + 55 * SECOND
    handled(world, world.task("reserve", operation="sleep", since=since, deadline=START + HOUR * SECOND))
    assert said(world, 60) == []


def test_of_a_chain_of_calls_the_last_is_told() -> None:
    world = call()
    further = "request:price"
    world.nodes[further] = replace(
        world.nodes[REQUEST],
        id=further,
        name="GET /price",
        attributes={semconv.METHOD: "GET /price", semconv.RPC_JOIN: "peer_not_attached", semconv.SERVER_ADDRESS: "x"},
    )
    handled(world, world.task("reserve", further, operation="request"))
    title = "reserve waits for request GET /price, whose receiver does not report"
    assert said(world, 31) == [("SLOW", title)]


def test_a_call_with_a_deadline_ends_by_itself() -> None:
    assert said(asleep(call(deadline=START + HOUR * SECOND), 2 * HOUR), 60) == []


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        ("GET /orders/poll", ""),
        ("GET /events", ""),
        ("shop.Orders/WatchOrders", ""),
        ("shop.Orders/Subscribe", ""),
        ("receive orders", ""),
        ("BLPOP", "opentelemetry.instrumentation.redis"),
        ("XREADGROUP", "opentelemetry.instrumentation.redis"),
        ("BZPOPMIN", "opentelemetry.instrumentation.redis"),
    ],
)
def test_calls_that_are_meant_to_stay_open_are_known_by_their_method(method: str, scope: str) -> None:
    assert said(unseen("peer_not_attached", method, peeps__rpc__scope=scope), HOUR) == []


def test_streams_are_known_by_the_functions_of_their_client() -> None:
    world = unseen("peer_not_attached", "shop.Orders/Take")
    task = world.nodes["task:order"]
    world.nodes[task.id] = replace(task, stack=(GRPC,))
    assert said(world, HOUR) == []
    world.nodes[task.id] = replace(task, stack=(GRPC._replace(function="AnyIOStream.read", library="httpcore"),))
    assert [level for level, _ in said(world, HOUR)] == ["SUSPECT"]


def test_and_by_the_channels_of_their_connection() -> None:
    world = unseen("peer_not_attached", "Shop/total", peeps__rpc__connection="1.0")
    world.resource(NodeKind.RX, "channel 1", peeps__rpc__connection="1.0", peeps__channel__request="1")
    assert said(world, HOUR) == []
    world = unseen("peer_not_attached", "Shop/total", peeps__rpc__connection="1.0")
    world.resource(NodeKind.RX, "channel 1", peeps__rpc__connection="2.0", peeps__channel__request="1")
    assert [level for level, _ in said(world, HOUR)] == ["SUSPECT"]
