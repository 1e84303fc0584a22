# SPDX-License-Identifier: Apache-2.0
"""Names and sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from peeps_otel.diagnosis import evidence, wording
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import Edge, EdgeKind, NodeKind, Providers, Wait, own_line
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
        (
            NodeKind.IO,
            "127.0.0.1:80",
            {"peeps__resource__type": "_SelectorSocketTransport"},
            "a socket to 127.0.0.1:80",
        ),
        (NodeKind.IO, "at 127.0.0.1:80", {"peeps__resource__type": "TCPTransport"}, "a socket at 127.0.0.1:80"),
        (NodeKind.IO, "fd 7", {"peeps__resource__type": "_UnixReadPipeTransport"}, "a pipe (fd 7)"),
        (NodeKind.IO, "", {"peeps__resource__type": "_SelectorSocketTransport"}, "a socket"),
    ],
)
def test_labels(kind: NodeKind, name: str, attributes: dict[str, Any], expected: str) -> None:
    world = World()
    node_id = world.resource(kind, name, providers=Providers.CLOSED, unnamed=False, **attributes)
    assert wording.label(world.nodes[node_id]) == expected


def test_an_unnamed_thing_is_called_by_where_it_was_made() -> None:
    world = World()
    node_id = world.resource(NodeKind.EVENT, "x", unnamed=True)
    assert wording.label(world.nodes[node_id]) == "Event (app/things.py:1)"


def test_an_unnamed_thing_of_which_no_line_is_known_is_called_by_its_kind() -> None:
    world = World()
    node_id = world.resource(NodeKind.EVENT, "x", unnamed=True)
    assert wording.label(replace(world.nodes[node_id], source=own_line.UNKNOWN)) == "an Event"
    assert wording.label(None) == "something that is gone"


def test_an_unnamed_thing_of_which_the_line_is_not_known_either() -> None:
    world = World()
    node_id = world.resource(NodeKind.FUTURE, "x", unnamed=True)
    world.nodes[node_id].source = ""
    assert wording.label(world.nodes[node_id]) == "a future"


def test_those_who_could_and_are_stuck_too() -> None:
    assert wording.are_stuck_too(["a"]) == "a could, but is stuck itself"
    assert wording.are_stuck_too(["a", "b"]) == "a and b could, but are stuck themselves"


def test_who_waits_for_its_own_end_and_who_for_a_namesake() -> None:
    world = World()
    one, other = world.task("category"), world.task("other")
    world.nodes[other].name = "category"
    graph = _graph(world)
    assert wording.waits_for(graph, one, one) == "waits for the end of itself"
    assert wording.waits_for(graph, one, other) == "waits for the end of another category"


def test_kinds_as_a_person_calls_them() -> None:
    assert [wording.kind_word(kind) for kind in ("task", "tx", "rx", "io", "shm")] == [
        "Task",
        "Queue",
        "Queue",
        "I/O",
        "Shared memory",
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/a/b/c/d.py:7", "c/d.py:7"),
        ("d.py:7", "d.py:7"),
        ("/a/b/c/d.py", "c/d.py"),
        (r"C:\a\b\d.py:7", "b/d.py:7"),
        ("", ""),
    ],
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
        (["a", "a", "b", "a"], "3 × a and b"),
        (["a", "a", "b", "c", "d", "d"], "2 × a, b, c and 2 more"),
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
