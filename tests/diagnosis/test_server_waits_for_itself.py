# SPDX-License-Identifier: Apache-2.0
"""A server whose threads all call that server, which has no thread left for these calls."""

from __future__ import annotations

from dataclasses import replace

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Edge, EdgeKind, NodeKind
from tests.diagnosis.world import SECOND, START, World, brief, diagnose


def _world(inner: str = "shop.Prices/Get", workers: int = 2, queued: int = 2, received: bool = False) -> World:
    """Each worker handles `shop.Prices/All` and has asked for `inner`; they run, as far as is seen."""
    world = World()
    threads = [world.thread(f"rpc_{number}") for number in range(2)]
    world.resource(
        NodeKind.EXECUTOR,
        "rpc",
        *threads,
        peeps__executor__worker_limit=workers,
        peeps__executor__queued=queued,
    )
    for number, thread in enumerate(threads):
        outer = _call(world, NodeKind.RESPONSE, f"{number}", "shop.Prices/All", f"trace{number}-aa")
        world.edges.append(Edge(EdgeKind.HANDLED_BY, outer, thread, START))
        call = _call(world, NodeKind.REQUEST, f"{number}", inner, f"trace{number}-bb")
        if received:
            world.edges.append(Edge(EdgeKind.RPC_LINK, call, "response:elsewhere", START))
    return world


def _call(world: World, kind: NodeKind, name: str, method: str, span: str) -> str:
    node_id = world.resource(kind, name, peeps__rpc__span=span)
    world.nodes[node_id] = replace(world.nodes[node_id], name=method)
    return node_id


_SAID = (
    "executor rpc waits for itself: all 2 workers handle shop.Prices/All and wait at app/main.py:2 for shop.Prices/Get "
    "of the same service, for which no worker is left"
)


def test_first_slow_then_a_suspicion() -> None:
    assert diagnose(_world(), after=4 * SECOND) == []
    assert brief(diagnose(_world(), after=9 * SECOND)) == [("deadlock", "SLOW", _SAID)]
    assert brief(Diagnoser().look(_world().graph(), START + 20 * SECOND)) == [("deadlock", "SUSPECT", _SAID)]


def test_calls_to_another_service_or_that_were_received_are_none() -> None:
    assert diagnose(_world(inner="shop.Stock/Get"), after=60 * SECOND) == []
    assert diagnose(_world(received=True), after=60 * SECOND) == []


def test_nor_are_they_where_a_worker_is_left_or_nothing_is_queued() -> None:
    assert diagnose(_world(workers=3), after=60 * SECOND) == []
    assert diagnose(_world(queued=0), after=60 * SECOND) == []


def test_one_worker_that_does_something_else_will_come_to_it() -> None:
    world = _world()
    del world.nodes["request:1"]
    assert diagnose(world, after=60 * SECOND) == []
