# SPDX-License-Identifier: Apache-2.0
"""A lock on a file that a process has of which nothing is seen."""

from __future__ import annotations

from peeps_otel.model import NodeKind, Providers
from tests.diagnosis.world import SECOND, World, brief, diagnose


def _waiting(**attributes: str | bool) -> World:
    world = World()
    lock = world.resource(NodeKind.LOCK, "job.lock", providers=Providers.OPEN)
    world.nodes[lock].attributes.update({key.replace("__", "."): value for key, value in attributes.items()})
    world.thread("MainThread", lock, operation="file.lock")
    return world


def test_who_has_it_is_told_and_may_be_at_work() -> None:
    world = _waiting(
        peeps__lock__file="/run/job.lock", peeps__could_end__outside="backup (pid 10)", peeps__lock__locked=True
    )
    assert diagnose(world, after=4 * SECOND) == []
    said = "MainThread waits for Lock job.lock, held by backup (pid 10)"
    assert brief(diagnose(world, after=3600 * SECOND)) == [("held_across_wait", "SLOW", said)]


def test_another_lock_or_one_whose_owner_is_not_known_is_none_of_this() -> None:
    assert diagnose(_waiting(peeps__could_end__outside="backup (pid 10)"), after=3600 * SECOND) == []
    assert diagnose(_waiting(peeps__lock__file="/run/job.lock"), after=10 * SECOND) == []
