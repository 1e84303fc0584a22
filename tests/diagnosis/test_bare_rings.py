# SPDX-License-Identifier: Apache-2.0
"""Rings through locks and permits that no block is seen to give back: somebody else may, or it is handed over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Level, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, diagnose


def _two_bare_locks(**of_db: AttributeValue) -> World:
    world = World()
    db = world.lock("db", "task:b", providers=Providers.ESTIMATED, bare=True)
    cache = world.lock("cache", "task:a", providers=Providers.ESTIMATED, bare=True)
    world.nodes[db].attributes |= {key.replace("__", "."): value for key, value in of_db.items()}
    if of_db:
        world.nodes[cache].attributes |= {semconv.COULD_END_ASKED: START}
    world.task("a", db)
    world.task("b", cache)
    return world


def test_a_ring_of_locks_taken_without_a_block_is_likely_once_the_heap_was_asked() -> None:
    assert [finding.level for finding in diagnose(_two_bare_locks())] == [Level.SUSPECT]
    assert [finding.level for finding in diagnose(_two_bare_locks(peeps__could_end__asked=START), 3 * SECOND)] == [
        Level.LIKELY
    ]


def test_it_is_likely_once_it_is_old_where_the_heap_cannot_be_asked() -> None:
    diagnoser = Diagnoser()
    diagnose(_two_bare_locks(), diagnoser=diagnoser)
    assert [f.level for f in diagnoser.look(_two_bare_locks().graph(), START + 31 * SECOND)] == [Level.LIKELY]


def test_functions_that_release_a_lock_if_somebody_calls_them_do_not_break_a_ring() -> None:
    """That is how locks are used; whoever has it is known, and is in the ring."""
    open_to: dict[str, AttributeValue] = {"peeps__could_end__open": "take uses release"}
    by_a_call: dict[str, AttributeValue] = {"peeps__could_end__outside": "whoever calls what take uses release"}
    world = _two_bare_locks(peeps__could_end__asked=START, **open_to, **by_a_call)
    bystander = world.task("bystander")
    world.edges.append(Edge(EdgeKind.REACHED_BY, "lock:db", bystander))
    assert [finding.level for finding in diagnose(world, 3 * SECOND)] == [Level.LIKELY]


def test_who_takes_again_what_he_has_by_a_block_is_a_ring_also_where_others_could_release_it() -> None:
    """A lock of a manager: whoever has a proxy may release it, so the heap was asked."""
    world = World()
    lock = world.lock("shared", "task:updater", providers=Providers.ESTIMATED)
    world.nodes[lock].attributes |= {semconv.COULD_END_ASKED: START}
    world.task("updater", lock)
    (finding,) = diagnose(world, 12 * SECOND)
    assert (finding.kind, finding.level) == ("deadlock", Level.LIKELY)
    assert finding.title == "updater waits for Lock shared, held by itself"


def test_whoever_may_release_a_lock_that_is_in_a_ring_does() -> None:
    by_a_timer = _two_bare_locks(peeps__could_end__asked=START, peeps__could_end__outside="timer late")
    assert diagnose(by_a_timer, after=60 * SECOND) == []
    by_a_task = _two_bare_locks(peeps__could_end__asked=START)
    by_a_task.edges.append(Edge(EdgeKind.COULD_END, "lock:db", by_a_task.task("late")))
    assert diagnose(by_a_task, after=60 * SECOND) == []


def test_a_lock_used_as_a_signal_is_none_that_comes_back_by_its_holder() -> None:
    """The holder waits for it himself: somebody else is to release it, and may be called to."""
    world = World()
    lock = world.lock("gate", "task:a", providers=Providers.ESTIMATED, bare=True)
    world.nodes[lock].attributes |= {
        semconv.COULD_END_ASKED: START,
        semconv.COULD_END_OUTSIDE: "whoever calls what open uses release",
    }
    world.task("a", lock)
    assert diagnose(world, after=60 * SECOND) == []


def test_those_who_have_all_permits_and_wait_for_another_one_are_named() -> None:
    """A pool of one's own, over a semaphore, that a request takes twice."""
    world = World()
    pool = world.resource(NodeKind.SEMAPHORE, "pool", "task:b", "task:c", providers=Providers.ESTIMATED, bare=True)
    world.nodes[pool].attributes |= {semconv.COULD_END_ASKED: START, semconv.SEMAPHORE_AVAILABLE: 0}
    world.task("a", pool, since=START - 9 * SECOND)
    world.task("b", pool)
    world.task("c", pool)
    (finding,) = diagnose(world, after=60 * SECOND)
    title = (
        "b waits for Semaphore pool, which it took itself at app/hold.py:2, as did c; only somebody else can release it"
    )
    assert (finding.level, finding.title, [step.waiter for step in finding.evidence], finding.blocked) == (
        Level.LIKELY,
        title,
        ["task:b"],
        ["task:a"],
    )


@pytest.mark.parametrize("asked", [False, True])
def test_a_ring_of_permits_taken_without_a_block_is_told_once_the_heap_was_asked(asked: bool) -> None:
    world = World()
    db = world.resource(NodeKind.SEMAPHORE, "db", "task:b", providers=Providers.ESTIMATED, bare=True)
    cache = world.lock("cache", "task:a", providers=Providers.ESTIMATED, bare=True)
    for one in (db, cache) if asked else ():
        world.nodes[one] = replace(world.nodes[one], attributes={semconv.COULD_END_ASKED: START})
    world.task("a", db)
    world.task("b", cache)
    diagnoser = Diagnoser()
    findings = diagnose(world, 3 * SECOND, diagnoser)
    assert [finding.level for finding in findings] == ([Level.LIKELY] if asked else [])
    findings = diagnoser.look(world.graph(), START + 11 * SECOND)
    assert [finding.level for finding in findings] == [Level.LIKELY if asked else Level.SUSPECT]


def test_a_ring_of_permits_that_a_timer_may_give_back_is_none() -> None:
    world = World()
    db = world.resource(
        NodeKind.SEMAPHORE,
        "db",
        "task:b",
        providers=Providers.ESTIMATED,
        bare=True,
        peeps__could_end__asked=START,
        peeps__could_end__outside="timer late",
    )
    cache = world.lock("cache", "task:a")
    world.task("a", db)
    world.task("b", cache)
    diagnoser = Diagnoser()
    assert diagnose(world, diagnoser=diagnoser) == []
    assert diagnoser.look(world.graph(), START + 60 * SECOND) == []


@pytest.mark.parametrize("source", [None, "/srv/shop/app/hold.py:1"])
def test_a_lock_that_was_handed_to_its_waiter_in_the_middle_of_a_look_is_no_ring(source: str | None) -> None:
    """Only the lock itself says that he has it; where a stack shows his block, he waits for what he has."""
    world = World()
    lock = world.lock("db")
    task = world.task("a", lock)
    world.edges.append(Edge(EdgeKind.HELD_BY, lock, task, 0, source))
    assert [finding.level for finding in diagnose(world)] == ([] if source is None else [Level.PROVEN])


def test_a_future_that_its_waiter_would_complete_is_a_ring_although_no_stack_shows_how_he_has_it() -> None:
    """A loop's thread waits for what its loop has yet to begin."""
    world = World()
    future = world.resource(NodeKind.FUTURE, "load")
    thread = world.thread("MainThread", future, operation="future.result")
    world.edges.append(Edge(EdgeKind.HELD_BY, future, thread, None, None))
    (finding,) = diagnose(world)
    assert (finding.kind, finding.level) == ("deadlock", Level.PROVEN)
