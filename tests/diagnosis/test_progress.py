# SPDX-License-Identifier: Apache-2.0
"""Two cuts, and what has moved between them."""

from __future__ import annotations

from peeps_otel.diagnosis.progress import progress, sentence
from peeps_otel.model import Graph, NodeKind
from tests.diagnosis.world import SECOND, START, World


def _cut(*, steps: int = 1, queue: int = 1, late: bool = False) -> Graph:
    world = World()
    world.lock("db", "task:a")
    world.task("a", "lock:db", since=START + 5)
    world.task("b", "lock:db")
    world.task("mover", "lock:db", steps=steps)
    world.task("cruncher")
    world.thread("pool-0", state="idle")
    world.thread("MainThread", "lock:db", since=START + 9)
    world.resource(NodeKind.TX, "jobs", peeps__channel__length=queue)
    if late:
        world.task("late")
    return world.graph()


def test_nothing_moves() -> None:
    found = progress(_cut(), _cut())
    assert found.advanced == []
    assert found.still == ["task:b", "task:cruncher", "task:mover", "task:a", "thread:MainThread"]
    assert sentence(found, 30) == "0 of 5 tasks and threads advanced in 30 s"
    assert (found.started, found.ended, found.changed) == ([], [], [])


def test_a_step_a_new_task_and_a_queue_that_fills() -> None:
    found = progress(_cut(), _cut(steps=2, queue=4, late=True))
    assert (found.advanced, found.started) == (["task:mover"], ["task:late"])
    assert found.changed == ["Queue jobs: length 1 -> 4"]
    assert sentence(found, 0.5) == "1 of 5 tasks and threads advanced in 0.5 s; 1 started"


def test_a_task_that_ended() -> None:
    assert progress(_cut(late=True), _cut()).ended == ["task:late"]


def test_another_wait_is_an_advance() -> None:
    later = _cut()
    wait = later.nodes["task:b"].wait
    assert wait is not None
    wait.since_ns += SECOND
    assert progress(_cut(), later).advanced == ["task:b"]


def test_only_tasks() -> None:
    world = World()
    world.task("only")
    assert sentence(progress(world.graph(), world.graph()), 1) == "0 of 1 task advanced in 1 s"


def test_from_running_to_waiting_is_an_advance() -> None:
    world = World()
    world.task("cruncher", deadline=START + 9 * SECOND, operation="sleep")
    assert "task:cruncher" in progress(_cut(), world.graph()).advanced
