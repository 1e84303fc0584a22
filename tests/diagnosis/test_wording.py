# SPDX-License-Identifier: Apache-2.0
"""Names and sentences."""

from __future__ import annotations

import pytest

from peeps_otel.diagnosis import evidence, wording
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import Edge, EdgeKind, NodeKind, Providers, Wait
from tests.diagnosis.world import START, World


def _graph(world: World) -> WaitGraph:
    return WaitGraph(world.graph(), set())


@pytest.mark.parametrize(
    ("kind", "name", "attributes", "expected"),
    [
        (NodeKind.LOCK, "db", {}, "Lock db"),
        (NodeKind.LOCK, "Lock db", {}, "Lock db"),
        (NodeKind.LOCK, "lock db", {}, "lock db"),
        (NodeKind.LOCK, "Locksmith", {}, "Lock Locksmith"),
        (NodeKind.LOCK, "db", {"peeps__resource__type": "app.locks.FairLock"}, "FairLock db"),
        (NodeKind.TX, "jobs", {"peeps__resource__type": "asyncio.PriorityQueue"}, "PriorityQueue jobs"),
        (NodeKind.FUTURE, "f", {}, "future f"),
    ],
)
def test_labels(kind: NodeKind, name: str, attributes: dict[str, str], expected: str) -> None:
    world = World()
    node_id = world.resource(kind, name, providers=Providers.CLOSED, unnamed=False, **attributes)
    assert wording.label(world.nodes[node_id]) == expected


def test_an_unnamed_thing_is_called_by_where_it_was_made() -> None:
    world = World()
    node_id = world.resource(NodeKind.EVENT, "x", unnamed=True)
    assert wording.label(world.nodes[node_id]) == "Event (app/things.py:1)"
    assert wording.label(None) == "something that is gone"


@pytest.mark.parametrize(
    ("source", "expected"),
    [("/a/b/c/d.py:7", "c/d.py:7"), ("d.py:7", "d.py:7"), (r"C:\a\b\d.py:7", "b/d.py:7"), ("", "")],
)
def test_short(source: str, expected: str) -> None:
    assert wording.short(source) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
    ],
)
def test_several(names: list[str], expected: str) -> None:
    assert wording.several(names) == expected


@pytest.mark.parametrize(
    ("kind", "operation", "expected"),
    [
        (NodeKind.LOCK, "lock.acquire", "waits for Lock x"),
        (NodeKind.EVENT, "event.wait", "waits for Event x"),
        (NodeKind.TX, "queue.put", "waits to put into Queue x"),
        (NodeKind.RX, "queue.get", "waits for an item from Queue x"),
        (NodeKind.RX, "queue.join", "waits until everything put into Queue x is done"),
    ],
)
def test_what_somebody_waits_for(kind: NodeKind, operation: str, expected: str) -> None:
    world = World()
    target = world.resource(kind, "x")
    world.task("a", target, operation=operation)
    assert wording.waits_for(_graph(world), "task:a", target) == expected


def test_a_place_is_said_once() -> None:
    world = World()
    target = world.resource(NodeKind.EVENT, "x", unnamed=True)
    world.task("a", target)
    world.nodes["task:a"].wait = Wait("event.wait", START, "/srv/shop/app/things.py:1")
    assert evidence.link(_graph(world), "task:a", target, None).text == "a waits for Event (app/things.py:1)"


def test_a_place_that_only_begins_alike_is_another() -> None:
    world = World()
    target = world.resource(NodeKind.EVENT, "x", unnamed=True)
    world.nodes[target].source = "/srv/shop/app/things.py:11"
    world.task("a", target)
    world.nodes["task:a"].wait = Wait("event.wait", START, "/srv/shop/app/things.py:1")
    assert evidence.link(_graph(world), "task:a", target, None).text == (
        "a waits for Event (app/things.py:11) at app/things.py:1"
    )


def test_a_lock_taken_and_awaited_on_the_same_line() -> None:
    world = World()
    target = world.lock("db")
    world.task("a", target)
    world.nodes["task:a"].wait = Wait("lock.acquire", START, "/srv/shop/app/work.py:9")
    world.edges.append(Edge(EdgeKind.HELD_BY, target, "task:a", START, "/srv/shop/app/work.py:9"))
    assert evidence.link(_graph(world), "task:a", target, "task:a").text == (
        "a waits for Lock db at app/work.py:9; a holds it"
    )
