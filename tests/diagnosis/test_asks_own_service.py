# SPDX-License-Identifier: Apache-2.0
"""Threads that serve at an address and wait for an answer from there."""

from __future__ import annotations

from peeps_otel.model import NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief, diagnose

_AT = "127.0.0.1:8000"


def _asking(world: World, name: str, deadline: int | None = None) -> str:
    there = world.resource(NodeKind.IO, f"of {name}", providers=Providers.OPEN)
    return world.thread(name, there, operation="socket.recv", deadline=deadline, peeps__thread__own_service=_AT)


def test_the_only_one_cannot_answer_itself() -> None:
    world = World()
    _asking(world, "MainThread")
    assert diagnose(world, after=4 * SECOND) == []
    said = (
        f"MainThread serves a request to {_AT} and waits at app/work.py:2 for an answer from there, "
        "which it cannot give meanwhile"
    )
    assert brief(diagnose(world, after=6 * SECOND)) == [("deadlock", "SLOW", said)]
    assert brief(diagnose(world, after=16 * SECOND)) == [("deadlock", "SUSPECT", said)]


def test_all_workers_of_a_pool_are_one_finding() -> None:
    world = World()
    workers = [_asking(world, f"pool_{number}") for number in range(2)]
    world.resource(NodeKind.EXECUTOR, "pool", *workers, providers=Providers.OPEN)
    (finding,) = diagnose(world, after=20 * SECOND)
    assert (finding.kind, finding.level) == ("deadlock", "SUSPECT")
    assert "each of 2 threads" in finding.title


def test_one_that_does_something_else_may_answer() -> None:
    world = World()
    workers = [_asking(world, "pool_0"), world.thread("pool_1")]
    world.resource(NodeKind.EXECUTOR, "pool", *workers, providers=Providers.OPEN)
    _asking(world, "worker-0")
    world.thread("worker-1")  # begins at the same line
    assert diagnose(world, after=20 * SECOND) == []


def test_with_a_deadline_it_is_slow() -> None:
    world = World()
    _asking(world, "MainThread", deadline=START + 60 * SECOND)
    assert [finding.level for finding in diagnose(world, after=20 * SECOND)] == ["SLOW"]
