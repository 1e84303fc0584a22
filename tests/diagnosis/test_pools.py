# SPDX-License-Identifier: Apache-2.0
"""Pools: exhausted by those who wait for them, by somebody slow, or by nobody who is seen."""

from __future__ import annotations

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Finding, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World

_HOLD = "app/hold.py"


def _pool(world: World, *holders: str, in_use: int, capacity: int | None = None, known: bool = True) -> str:
    return world.resource(
        NodeKind.SEMAPHORE,
        "db",
        *holders,
        providers=Providers.ESTIMATED if known else Providers.OPEN,
        peeps__semaphore__permits=capacity or in_use,
        peeps__resource__type="sqlalchemy.QueuePool",
        peeps__pool__in_use=in_use,
        peeps__semaphore__available=(capacity or in_use) - in_use,
    )


def _look(world: World, *after_s: float, diagnoser: Diagnoser | None = None) -> list[Finding]:
    one = diagnoser or Diagnoser()
    found: list[Finding] = []
    for seconds in after_s:
        found = one.look(world.graph(), START + int(seconds * SECOND))
    return found


def _said(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.kind, one.level, one.title) for one in findings]


def test_who_has_a_connection_and_waits_for_another_exhausts_the_pool_for_good() -> None:
    world = World()
    pool = _pool(world, "task:report", in_use=1)
    world.task("report", pool, operation="pool.acquire")
    world.task("late", pool, operation="pool.acquire")
    (finding,) = _look(world, 1, 3)
    assert _said([finding]) == [
        (
            "pool_exhausted",
            "LIKELY",
            "1 of 1 connections of QueuePool db is held; report has one, taken at app/hold.py:2, and waits for another",
        )
    ]
    assert finding.core == ["task:report", pool]
    assert finding.blocked == ["task:late"]
    wait = world.nodes["task:report"].wait
    assert wait is not None
    assert finding.look_at == wait.source
    assert [step.text for step in finding.evidence] == [
        "report waits for QueuePool db at app/work.py:3; report holds it, taken at app/hold.py:2"
    ]


def test_a_deadline_changes_nothing() -> None:
    world = World()
    pool = _pool(world, "task:one", "task:two", in_use=2)
    for name in ("one", "two"):
        world.task(name, pool, operation="pool.acquire", deadline=START + 30 * SECOND)
    assert _said(_look(world, 1, 3)) == [
        (
            "pool_exhausted",
            "LIKELY",
            "2 of 2 connections of QueuePool db are held; one and two have one each and wait for another",
        )
    ]


def test_a_holder_that_waits_for_somebody_who_waits_for_the_pool_is_no_better() -> None:
    world = World()
    pool = _pool(world, "task:report", in_use=1)
    world.task("report", "task:audit", operation="task")
    world.task("audit", pool, operation="pool.acquire")
    (finding,) = _look(world, 1, 3)
    assert _said([finding]) == [
        (
            "pool_exhausted",
            "LIKELY",
            "1 of 1 connections of QueuePool db is held; report has one, taken at app/hold.py:2, and waits for the end "
            "of audit at app/work.py:3, which comes to waiting for another",
        )
    ]


def test_one_holder_who_goes_on_keeps_it_from_being_stuck() -> None:
    """And a pool that is only busy is not worth a word before a wait is long."""
    world = World()
    pool = _pool(world, "task:one", "task:other", in_use=2)
    world.task("one", pool, operation="pool.acquire")
    world.task("other")
    diagnoser = Diagnoser()
    assert _look(world, 0.5, 1, 1.5, diagnoser=diagnoser) == []
    assert _said(_look(world, 3, 100, diagnoser=diagnoser)) == [
        (
            "pool_exhausted",
            "SLOW",
            "2 of 2 connections of QueuePool db are held; one has one, taken at app/hold.py:2, and waits for QueuePool "
            "db at app/work.py:4; one waits for one",
        )
    ]


def test_a_holder_that_is_not_known_may_go_on() -> None:
    world = World()
    pool = _pool(world, "task:one", in_use=2, known=False)
    world.task("one", pool, operation="pool.acquire")
    assert [finding.level for finding in _look(world, 1, 3)] == ["SLOW"]


def _busy(steps: int) -> World:
    """`holder` is in a slow query, one of many; `late` waits for its connection."""
    world = World()
    pool = _pool(world, "task:holder", in_use=1)
    query = world.resource(NodeKind.IO, "socket", providers=Providers.OPEN)
    world.task("holder", query, operation="stream.read", steps=steps)
    world.task("late", pool, operation="pool.acquire")
    return world


def test_slow_while_the_holder_goes_on_suspect_when_it_does_not() -> None:
    diagnoser = Diagnoser()
    levels: list[str] = []
    for number in range(1, 9):  # a step every ten seconds, then none
        findings = _look(_busy(min(number, 4)), number * 10, diagnoser=diagnoser)
        levels += [finding.level for finding in findings if finding.kind == "pool_exhausted"]
    assert levels == ["SLOW"] * 5 + ["SUSPECT"] * 2


def test_nobody_is_seen_with_what_was_lent() -> None:
    world = World()
    pool = _pool(world, in_use=3, known=False)
    world.task("late", pool, operation="pool.acquire")
    diagnoser = Diagnoser()
    assert [finding.level for finding in _look(world, 1, 3, diagnoser=diagnoser)] == ["SLOW"]
    assert _said(_look(world, 14, diagnoser=diagnoser)) == [
        (
            "pool_exhausted",
            "SUSPECT",
            "3 of 3 connections of QueuePool db are held; no function is seen with one; late waits for one",
        )
    ]


def test_somebody_who_got_one_shows_that_the_pool_moves() -> None:
    diagnoser = Diagnoser()
    for second in range(1, 60, 2):
        world = World()
        pool = _pool(world, in_use=3, known=False)
        world.task(f"late-{second // 6}", pool, operation="pool.acquire", since=START + (second // 6) * 6 * SECOND)
        world.task("last", pool, operation="pool.acquire")
        levels = [finding.level for finding in _look(world, second, diagnoser=diagnoser)]
        assert levels in ([], ["SLOW"]), second


def test_a_pool_with_something_left_is_not_exhausted() -> None:
    world = World()
    pool = _pool(world, "task:one", in_use=1, capacity=2)
    world.task("one", pool, operation="pool.acquire")
    assert _look(world, 1, 3, 100) == []


def test_a_ring_through_a_pool_and_a_lock_is_told_as_a_ring() -> None:
    world = World()
    pool = _pool(world, "task:a", in_use=1)
    lock = world.lock("cache", "task:b")
    world.task("a", lock)
    world.task("b", pool, operation="pool.acquire")
    assert [(one.kind, one.level) for one in _look(world, 1, 3)] == [("deadlock", "LIKELY")]


def test_what_a_library_has_lost_nobody_gives_back() -> None:
    world = World()
    pool = _pool(world, in_use=2, known=False)
    world.nodes[pool].attributes["peeps.pool.lost"] = 2
    world.task("late", pool, operation="pool.acquire")
    diagnoser = Diagnoser()
    levels = [[one.level for one in _look(world, second, diagnoser=diagnoser)] for second in (2, 3)]
    assert levels == [[], ["SLOW"]]
    (finding,) = _look(world, 6, diagnoser=diagnoser)
    assert _said([finding]) == [
        (
            "pool_exhausted",
            "LIKELY",
            "2 of 2 connections of QueuePool db are held, but lost: who asked for that has gone; late waits for one",
        )
    ]


def test_a_pool_that_has_lost_only_some_waits_for_the_others() -> None:
    world = World()
    pool = _pool(world, "task:report", in_use=2)
    world.nodes[pool].attributes["peeps.pool.lost"] = 1
    world.task("report", operation="sleep", deadline=START + 1000 * SECOND)
    world.task("late", pool, operation="pool.acquire")
    (finding,) = _look(world, 1, 3, 20)
    assert (finding.kind, finding.level) == ("pool_exhausted", "SLOW")


def test_a_holder_whom_nobody_seems_about_to_wake_is_told_sooner_and_by_this_rule_alone() -> None:
    world = World()
    pool = _pool(world, "task:order", in_use=1)
    world.resource(NodeKind.EVENT, "approved", providers=Providers.OPEN, peeps__event__is_set=False)
    world.task("order", "event:approved", operation="event.wait")
    world.task("late", pool, operation="pool.acquire")
    diagnoser = Diagnoser()
    levels = [[(one.kind, one.level) for one in _look(world, second, diagnoser=diagnoser)] for second in (1, 3, 20)]
    assert levels == [[], [("pool_exhausted", "SLOW")], [("pool_exhausted", "SUSPECT")]]


def test_a_pool_that_is_closed_before_all_is_given_back() -> None:
    world = World()
    one = world.resource(
        NodeKind.SEMAPHORE,
        "",
        "task:timers",
        providers=Providers.ESTIMATED,
        peeps__semaphore__permits=1,
        peeps__resource__type="asyncpg.Connection",
        peeps__pool__in_use=1,
        peeps__semaphore__available=0,
    )
    world.task("closing", one, operation="pool.close")
    world.task("main", "task:closing", operation="task")
    world.task("timers", "task:main", operation="task")
    (finding,) = _look(world, 1, 3)
    assert _said([finding]) == [
        (
            "pool_exhausted",
            "LIKELY",
            "a pool cannot be closed before its connection is given back; timers has it, taken at app/hold.py:2, and "
            "waits for the end of main at app/work.py:5, which comes to waiting for the close",
        )
    ]
    assert finding.advice.startswith("Give every connection back")
