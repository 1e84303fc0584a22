# SPDX-License-Identifier: Apache-2.0
"""A child has ended, and a process that it started keeps its output open."""

from __future__ import annotations

import pytest

from peeps_otel.model import Edge, EdgeKind, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief, diagnose


def _child(world: World) -> str:
    return world.resource(
        NodeKind.COMMAND,
        "sh",
        providers=Providers.OPEN,
        peeps__command__pid=10,
        peeps__command__pipe_kept_by="sleep (pid 11)",
        peeps__io__unmoved_since=START,
    )


_SAID = (
    "main waits for the end of what sh (pid 10) prints, which has ended itself, but sleep (pid 11) has the pipe too "
    "and keeps it open"
)


def test_first_slow_then_a_suspicion() -> None:
    world = World()
    world.task("main", _child(world), operation="subprocess.wait")
    world.task("reader", "task:main", operation="task")
    assert diagnose(world, after=4 * SECOND) == []
    assert brief(diagnose(world, after=10 * SECOND)) == [("never_ends", "SLOW", _SAID)]
    (finding,) = diagnose(world, after=20 * SECOND)
    assert (finding.kind, finding.level, finding.title) == ("never_ends", "SUSPECT", _SAID)
    assert (finding.core, finding.blocked) == (["task:main", "command:sh"], ["task:reader"])


def test_the_input_of_a_child_that_waits_for_its_end_is_only_slow() -> None:
    world = World()
    child = _child(world)
    world.nodes[child].attributes["peeps.command.awaits_input"] = "a pipe"
    world.thread("MainThread", child, operation="process.wait")
    said = "MainThread waits for the end of sh (pid 10), which waits for the end of its input, but sleep (pid 11) has "
    said += "inherited that pipe and keeps it open"
    assert brief(diagnose(world, after=60 * SECOND)) == [("never_ends", "SLOW", said)]


def test_a_wait_with_a_deadline_ends_by_that() -> None:
    world = World()
    world.task("main", _child(world), operation="subprocess.wait", deadline=START + 90 * SECOND)
    assert diagnose(world, after=60 * SECOND) == []


def _of_a_fork(keeper: str = "pid 11", deadline: int | None = None, unread: int = 0, reader: str = "") -> World:
    world = World()
    pipe = world.resource(NodeKind.IO, "fd 7", providers=Providers.OPEN, peeps__resource__type="os.pipe")
    world.nodes[pipe].attributes |= {"peeps.io.by_number": True, "peeps.io.unread": unread}
    world.thread("MainThread", pipe, operation="file.read")
    if reader:
        world.nodes["thread:MainThread"].attributes["peeps.thread.process"] = reader
    event = world.resource(NodeKind.EVENT, "stop", providers=Providers.OPEN)
    world.thread("keeper thread", event, operation="event.wait", deadline=deadline)
    if keeper:
        world.nodes["thread:keeper thread"].attributes["peeps.thread.process"] = keeper
    world.edges.append(Edge(EdgeKind.REACHED_BY, pipe, "thread:keeper thread"))
    return world


def _about_the_pipe(world: World, after: int) -> list[tuple[str, str, str]]:
    return [one for one in brief(diagnose(world, after=after)) if "a pipe (fd 7)" in one[2]]


def test_a_pipe_that_a_child_has_inherited_and_does_not_use() -> None:
    said = (
        "MainThread waits for more of a pipe (fd 7) or for its end, but nobody has it open to write but keeper thread "
        "of pid 11, which waits for Event stop at app/work.py:4"
    )
    world = _of_a_fork()
    assert _about_the_pipe(world, 4 * SECOND) == []
    assert [one[:2] for one in _about_the_pipe(world, 10 * SECOND)] == [("never_ends", "SLOW")]
    assert _about_the_pipe(world, 20 * SECOND) == [("never_ends", "SUSPECT", said)]


@pytest.mark.parametrize(
    "world",
    [
        _of_a_fork(keeper=""),  # the parent, whose end a child waits for
        _of_a_fork(reader="worker-1"),
        _of_a_fork(deadline=START + 60 * SECOND),
        _of_a_fork(unread=5),
    ],
)
def test_one_that_somebody_may_still_write_or_that_is_to_end_with_a_parent(world: World) -> None:
    assert _about_the_pipe(world, 30 * SECOND) == []
