# SPDX-License-Identifier: Apache-2.0
"""A child that waits for input which only its parent could write, while the parent waits for the child."""

from __future__ import annotations

from peeps_otel.model import NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief, diagnose


def _child(world: World) -> str:
    return world.resource(
        NodeKind.COMMAND,
        "cat",
        providers=Providers.OPEN,
        peeps__command__awaits_input="its stdin",
        peeps__io__unmoved_since=START,
    )


_SAID = (
    "main waits for the end of command cat, which waits for input from its stdin, and only this process could write "
    "that"
)


def test_first_slow_then_a_suspicion() -> None:
    world = World()
    world.task("main", _child(world), operation="subprocess.wait")
    world.task("reader", "task:main", operation="task")
    assert diagnose(world, after=4 * SECOND) == []
    assert brief(diagnose(world, after=10 * SECOND)) == [("deadlock", "SLOW", _SAID)]
    (finding,) = diagnose(world, after=20 * SECOND)
    assert (finding.kind, finding.level, finding.title) == ("deadlock", "SUSPECT", _SAID)
    assert (finding.core, finding.blocked) == (["task:main", "command:cat"], ["task:reader"])


def test_somebody_else_who_has_the_child_may_write() -> None:
    world = World()
    world.task("main", _child(world), operation="subprocess.wait")
    world.task("feeder")
    world.touches("task:feeder", "command:cat")
    assert brief(diagnose(world, after=60 * SECOND)) == [("deadlock", "SLOW", _SAID)]


def test_a_wait_with_a_deadline_ends_by_that() -> None:
    world = World()
    world.task("main", _child(world), operation="subprocess.wait", deadline=START + 90 * SECOND)
    assert diagnose(world, after=60 * SECOND) == []
