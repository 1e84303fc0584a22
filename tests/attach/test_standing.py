# SPDX-License-Identifier: Apache-2.0
"""Of which threads it may not be said that nothing is stuck, after a few seconds of watching."""

from __future__ import annotations

from peeps_otel.attach.standing import nobody_goes_on, note, threads_that_stand
from peeps_otel.model import Edge, EdgeKind, Frame, NodeKind
from tests.diagnosis.world import SECOND, START, World

OWN = (Frame("work", "/srv/shop/app/work.py", 1),)
OF_A_LIBRARY = (Frame("serve", "/usr/lib/python3/dist-packages/grpc/_server.py", 1, library="grpc"),)


def standing(world: World, *moved: str) -> set[str]:
    stood = set(world.nodes) - set(moved)
    return {node.name for node in threads_that_stand(world.nodes, world.edges, stood)}


def test_a_thread_that_waits_for_nobody_known_stands() -> None:
    world = World()
    world.thread("main", world.resource(NodeKind.IO, "fd 3"), operation="file.read", stack=OWN)
    assert standing(world) == {"main"}
    told = note([world.nodes["thread:main"]], world.graph(), 17 * SECOND)
    assert told == (
        "in the 17 s of watching these were at one place, and what will end that is not in sight: "
        "thread main waits for io fd 3 at app/work.py:2"
    )


def test_who_has_moved_or_has_nothing_to_do_or_a_deadline_does_not() -> None:
    world = World()
    world.thread("moves", stack=OWN)
    world.thread("rests", state="idle", stack=OWN)
    world.thread("gives up", world.lock("a"), deadline=START + 60 * SECOND, stack=OWN)
    world.thread("sleeps", operation="sleep", deadline=START + SECOND, stack=OWN)
    world.thread("of a library", world.lock("b"), stack=OF_A_LIBRARY)
    assert standing(world, "thread:moves") == set()


def test_the_main_thread_stands_in_the_standard_library_too() -> None:
    world = World()
    world.thread("MainThread", world.lock("shutdown"))
    assert standing(world) == {"MainThread"}


def test_who_waits_for_somebody_who_goes_on_does_not_stand() -> None:
    world = World()
    worker = world.thread("worker", stack=OWN)
    world.thread("joins", worker, operation="thread.join", stack=OWN)
    world.thread("wants", world.lock("held", worker), stack=OWN)
    event = world.resource(NodeKind.EVENT, "ready")
    world.thread("listens", event, operation="event.wait", stack=OWN)
    world.edges.append(Edge(EdgeKind.COULD_END, event, worker))
    assert standing(world, worker) == set()
    assert standing(world) == {"worker", "joins", "wants", "listens"}


def test_having_started_somebody_is_no_way_to_the_end_of_a_wait() -> None:
    world = World()
    child = world.thread("child", stack=OWN)
    main = world.thread("main", world.resource(NodeKind.EVENT, "ready"), operation="event.wait", stack=OWN)
    world.edges.append(Edge(EdgeKind.SPAWNED, main, child))
    assert standing(world, child) == {"main"}


def test_where_nobody_goes_on_it_is_looked_for_longer() -> None:
    world = World()
    world.thread("MainThread", state="idle", stack=OWN)
    assert not nobody_goes_on(world.nodes.values(), set(world.nodes))
    serve = world.task("serve", world.resource(NodeKind.FUTURE, "closed"))
    assert nobody_goes_on(world.nodes.values(), set(world.nodes))
    assert not nobody_goes_on(world.nodes.values(), set(world.nodes) - {serve})
    world.task("tick", deadline=START + SECOND, operation="sleep")
    assert not nobody_goes_on(world.nodes.values(), set(world.nodes))
