# SPDX-License-Identifier: Apache-2.0
"""A call whose caller is gone and whose handler works on is a finding of its own, and no more than SLOW."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Frame, Node, NodeKind
from tests.diagnosis.world import SECOND, START, World


def _call(world: World, state: str, handler: str | None, **attributes: AttributeValue) -> None:
    named: dict[str, AttributeValue] = {key.replace("__", "."): value for key, value in attributes.items()}
    for kind in (NodeKind.REQUEST, NodeKind.RESPONSE):
        node_id = f"{kind}:take"
        world.nodes[node_id] = Node(
            node_id, kind, "Take", START, "/srv/shop/app/main.py:7", state=state, attributes=named
        )
    world.edges.append(Edge(EdgeKind.RPC_LINK, "request:take", "response:take"))
    if handler is not None:
        world.edges.append(Edge(EdgeKind.HANDLED_BY, "response:take", handler))


def _said(world: World, *after_s: float) -> list[tuple[str, str, str]]:
    diagnoser = Diagnoser()
    looks = [diagnoser.look(world.graph(), START + int(one * SECOND)) for one in after_s]
    return [(one.kind, one.level, one.title) for one in looks[-1] if one.kind == "call_abandoned"]


@pytest.mark.parametrize(
    ("state", "stage", "what"),
    [("detached", "", "has outlived the task that sent it"), ("pending", "cancelling", "was cancelled")],
)
def test_it_is_told_with_what_the_handler_does(state: str, stage: str, what: str) -> None:
    world = World()
    handler = world.task("reserve", operation="sleep", deadline=START + 3600 * SECOND)
    more: dict[str, AttributeValue] = {semconv.RPC_STAGE: stage} if stage else {}
    _call(world, state, handler, **more)
    assert _said(world, 1, 3) == []
    ((kind, level, title),) = _said(world, 1, 7)
    assert (kind, level) == ("call_abandoned", "SLOW")
    assert f"{what}, but its handler reserve goes on for nobody: it sleeps at" in title


def test_a_call_that_somebody_waits_for_is_not_abandoned() -> None:
    world = World()
    _call(world, "detached", world.task("reserve"))
    world.task("order", "request:take", operation="request")
    assert _said(world, 1, 7) == []


def test_nor_one_in_flight_as_usual_nor_one_without_a_handler() -> None:
    world = World()
    _call(world, "pending", world.task("reserve"))
    assert _said(world, 1, 7) == []
    world = World()
    _call(world, "detached", None)
    assert _said(world, 1, 7) == []


def test_a_stream_that_another_task_reads_is_not_abandoned() -> None:
    world = World()
    handler = world.task("rows", operation="sleep", deadline=START + 3600 * SECOND)
    stack = (Frame("_stream_interceptor", "/lib/opentelemetry/grpc.py", 7, "opentelemetry-instrumentation-grpc"),)
    world.nodes[handler] = replace(world.nodes[handler], stack=stack)
    _call(world, "detached", handler)
    assert _said(world, 1, 7) == []
