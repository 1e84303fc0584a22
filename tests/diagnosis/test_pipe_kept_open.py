# SPDX-License-Identifier: Apache-2.0
"""A child has ended, and a process that it started keeps its output open."""

from __future__ import annotations

from peeps_otel.model import NodeKind, Providers
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


def test_a_wait_with_a_deadline_ends_by_that() -> None:
    world = World()
    world.task("main", _child(world), operation="subprocess.wait", deadline=START + 90 * SECOND)
    assert diagnose(world, after=60 * SECOND) == []
