# SPDX-License-Identifier: Apache-2.0
"""`await asyncio.Future()  # run forever`: a main task or thread that waits for ever on purpose is not stuck."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis.parked import is_parked
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import Edge, EdgeKind, Finding, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, diagnose

_LINE = "/srv/shop/app/main.py:6"


def _parked(kind: NodeKind = NodeKind.FUTURE, named: bool = False, line: str = _LINE) -> World:
    """`main`, the first task of its loop, waits for what was made in `line`; `tick` came later and goes on."""
    world = World()
    thing = world.resource(kind, "forever", providers=Providers.CLOSED)
    known = "asyncio.Future" if kind is NodeKind.FUTURE else "answer" if named else ""
    world.nodes[thing] = replace(world.nodes[thing], name=known, source=line)
    world.thread("loop", state="idle")
    for task, targets, made in (("main", (thing,), START), ("tick", (), START + SECOND)):
        world.task(task, *targets, operation="future", thread="loop")
        world.nodes[f"task:{task}"] = replace(world.nodes[f"task:{task}"], created_at=made)
    _waits_at(world, "task:main")
    if kind is NodeKind.FUTURE and not named:
        world.nodes["task:main"] = replace(
            world.nodes["task:main"],
            attributes=world.nodes["task:main"].attributes | {"peeps.task.waits_unnamed": True},
        )
    return world


def _waits_at(world: World, waiter: str) -> None:
    wait = world.nodes[waiter].wait
    assert wait is not None
    world.nodes[waiter] = replace(world.nodes[waiter], wait=replace(wait, source=_LINE))


def _kinds(found: list[Finding]) -> list[str]:
    return [one.kind.value for one in found]


@pytest.mark.parametrize("kind", [NodeKind.FUTURE, NodeKind.EVENT])
def test_the_main_task_is_to_run_for_ever(kind: NodeKind) -> None:
    assert diagnose(_parked(kind), after=60 * SECOND) == []


def test_so_is_the_main_thread() -> None:
    world = World()
    thing = world.resource(NodeKind.EVENT, "forever", providers=Providers.CLOSED)
    world.nodes[thing] = replace(world.nodes[thing], name="", source=_LINE)
    thread = world.thread("MainThread", thing, operation="event.wait")
    _waits_at(world, thread)
    assert diagnose(world, after=60 * SECOND) == []
    world.nodes[thread] = replace(world.nodes[thread], name="worker")
    assert _kinds(diagnose(world, after=60 * SECOND)) == ["never_ends"]


def test_what_has_a_name_or_was_made_elsewhere_was_to_be_ended() -> None:
    for kind in (NodeKind.FUTURE, NodeKind.EVENT):
        assert _kinds(diagnose(_parked(kind, named=True), after=60 * SECOND)) == ["never_ends"]
    assert _kinds(diagnose(_parked(line="/srv/shop/app/client.py:3"), after=60 * SECOND)) == ["never_ends"]


def test_one_of_many_tasks_or_one_whose_end_is_waited_for_is_not_to_run_for_ever() -> None:
    world = _parked()
    world.nodes["task:main"] = replace(world.nodes["task:main"], created_at=START + 2 * SECOND)
    assert _kinds(diagnose(world, after=60 * SECOND)) == ["never_ends"]
    world = _parked()
    world.task("other", "task:main", operation="task", thread="loop", since=START + SECOND)
    assert _kinds(diagnose(world, after=60 * SECOND)) == ["never_ends"]


def test_what_somebody_else_has_was_to_be_ended_by_him() -> None:
    world = _parked()
    world.edges.append(Edge(EdgeKind.TOUCHES, "task:tick", "future:forever"))
    assert _kinds(diagnose(world, after=60 * SECOND)) == ["never_ends"]


def _idle(consumed: bool = True) -> World:
    """`worker` takes from a queue into which nobody puts; `main`, which is older, sleeps."""
    world = World()
    jobs = world.resource(NodeKind.RX, "jobs", providers=Providers.CLOSED)
    facts = {"peeps.could_end.asked": START} | ({"peeps.could_end.consumed": True} if consumed else {})
    world.nodes[jobs] = replace(world.nodes[jobs], attributes=world.nodes[jobs].attributes | facts)
    world.thread("loop", state="idle")
    for task, targets, made in (("main", (), START), ("worker", (jobs,), START + SECOND)):
        world.task(task, *targets, operation="queue.get" if targets else "sleep", thread="loop")
        world.nodes[f"task:{task}"] = replace(world.nodes[f"task:{task}"], created_at=made)
    return world


def test_workers_without_work_are_not_stuck() -> None:
    assert diagnose(_idle(), after=60 * SECOND) == []
    assert _kinds(diagnose(_idle(consumed=False), after=60 * SECOND)) == ["never_ends"]


def test_they_are_where_somebody_waits_for_them() -> None:
    world = _idle()
    world.task("joins", "task:worker", operation="task", thread="loop")
    world.nodes["task:joins"] = replace(world.nodes["task:joins"], created_at=START + SECOND)
    assert _kinds(diagnose(world, after=60 * SECOND)) == ["never_ends"]


def test_or_for_what_they_would_bring() -> None:
    world = _idle()
    done = world.resource(NodeKind.EVENT, "done", providers=Providers.CLOSED)
    world.edges.append(Edge(EdgeKind.COULD_END, done, "task:worker"))
    world.task("waits", done, operation="event.wait", thread="loop")
    world.nodes["task:waits"] = replace(world.nodes["task:waits"], created_at=START + SECOND)
    assert "never_ends" in _kinds(diagnose(world, after=60 * SECOND))


@pytest.mark.parametrize(("first", "left_alone"), [("main (Task-1)", True), ("main", False)])
def test_workers_of_a_loop_whose_tasks_all_seem_to_have_begun_at_once(first: str, left_alone: bool) -> None:
    """As in a process that was attached to: the first of those that asyncio has numbered is the main one."""
    world = World()
    jobs = world.resource(NodeKind.RX, "jobs", providers=Providers.OPEN)
    world.nodes[jobs].attributes[semconv.COULD_END_CONSUMED] = True
    world.thread("loop", state="idle")
    for name in ("worker-1", "worker-2"):
        world.task(name, jobs, operation="queue.get", thread="loop")
    world.task(first, thread="loop")
    world.nodes = {one: replace(node, created_at=START) for one, node in world.nodes.items()}
    graph = WaitGraph(world.graph(), frozenset())
    assert is_parked(graph, "task:worker-1", jobs) is left_alone
