# SPDX-License-Identifier: Apache-2.0
"""A pool of processes whose thread for the results has ended."""

from __future__ import annotations

from peeps_otel.model import NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief, diagnose


def _waiting(deadline: int | None = None) -> World:
    world = World()
    result = world.resource(NodeKind.FUTURE, "MapResult", providers=Providers.OPEN)
    world.nodes[result].attributes["peeps.pool.results_ended"] = True
    world.thread("MainThread", result, operation="pool.result", deadline=deadline)
    return world


def test_whoever_waits_for_a_result_is_likely_to_wait_for_ever() -> None:
    assert diagnose(_waiting(), after=4 * SECOND) == []
    said = "MainThread waits for future MapResult, but the thread of the pool that hands on results has ended"
    assert brief(diagnose(_waiting(), after=10 * SECOND)) == [("never_ends", "LIKELY", said)]


def test_not_where_it_gives_up_by_itself() -> None:
    assert diagnose(_waiting(START + 3600 * SECOND), after=10 * SECOND) == []
