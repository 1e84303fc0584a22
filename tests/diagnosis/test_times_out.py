# SPDX-License-Identifier: Apache-2.0
"""Waits that only their deadline ends: told while they last, and a suspicion once they end so again and again."""

from __future__ import annotations

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Finding
from tests.diagnosis.world import SECOND, START, World

_GIVES_UP = START + 20 * SECOND


def _said(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.kind, one.level, one.title) for one in findings]


def _look(world: World, *after_s: float) -> list[tuple[str, str, str]]:
    diagnoser = Diagnoser()
    return [_said(diagnoser.look(world.graph(), START + int(one * SECOND))) for one in after_s][-1]


def test_a_ring_with_a_deadline_is_told_as_one_that_breaks() -> None:
    world = World()
    db, cache = world.lock("db", "task:a"), world.lock("cache", "task:b")
    world.task("a", cache, deadline=_GIVES_UP)
    world.task("b", db)
    assert _look(world, 1, 3) == [
        (
            "times_out",
            "SLOW",
            "a waits for Lock cache, held by b, which waits for Lock db, held by a; the ring breaks when a gives up",
        )
    ]


def test_so_is_one_of_tasks_alone() -> None:
    """A handler that shuts its own server down, which waits for it."""
    world = World()
    world.task("stop", "task:shutdown", operation="gather", since=START)
    world.task("shutdown", "task:connection", operation="task", deadline=START + 300 * SECOND)
    world.task("connection", "task:stop", operation="task")
    assert _look(world, 1, 3) == [
        (
            "times_out",
            "SLOW",
            "connection waits for the end of stop, which waits for the end of shutdown, which waits for the end of "
            "connection; the ring breaks when shutdown gives up",
        )
    ]


def test_the_line_to_open_is_one_of_the_program() -> None:
    world = World()
    world.task("stop", "task:shutdown", operation="gather")
    world.task("shutdown", "task:stop", operation="task", deadline=START + 300 * SECOND)
    wait = world.nodes["task:shutdown"].wait
    assert wait is not None
    wait.source = "in aiohttp"
    diagnoser = Diagnoser()
    found = [diagnoser.look(world.graph(), START + one * SECOND) for one in (1, 3)][-1]
    assert [one.look_at for one in found] == ["/srv/shop/app/work.py:1"]


def test_a_task_that_is_awaited_with_a_deadline_and_goes_on_is_no_finding() -> None:
    world = World()
    world.task("main", "task:slow", operation="wait_for", deadline=_GIVES_UP)
    world.task("slow", "io:peer", operation="socket")
    assert _look(world, 1, 3, 9) == []


def test_a_wait_behind_itself_ends_by_its_deadline_alone() -> None:
    """A holder that waits with a deadline for what a ring without one has."""
    world = World()
    held = world.lock("db", "task:a")
    world.task("a", held)
    world.task("late", held, deadline=_GIVES_UP)
    assert [(kind, level) for kind, level, _ in _look(world, 1, 3)] == [("deadlock", "PROVEN")]


def test_a_holder_that_goes_on_is_no_finding() -> None:
    world = World()
    held = world.lock("db", "task:busy")
    world.task("busy")
    world.task("late", held, deadline=_GIVES_UP)
    assert _look(world, 1, 3, 9) == []


def _in_turn(
    deadline_s: float, gives_up: bool, by_a_task: bool = False, operation: str = "lock.acquire"
) -> list[tuple[str, str, str]]:
    """Four tasks wait for a lock one after the other, at one line; the last of them is looked at. `by_a_task`: each by
    one more, which waits for the lock, as `wait_for` did before Python 3.12."""
    diagnoser = Diagnoser()
    found: list[tuple[str, str, str]] = []
    for number in range(4):
        begun = START + int(number * 2 * deadline_s * SECOND)
        deadline = begun + int(deadline_s * SECOND)
        world = World()
        held = world.lock("db", "task:busy")
        world.task("busy", steps=number)
        if by_a_task:
            world.task(f"acquire-{number}", held, since=begun)
        awaited = f"task:acquire-{number}" if by_a_task else held
        world.task(f"late-{number}", awaited, since=begun, deadline=deadline, operation=operation)
        looks = [begun + int(deadline_s * SECOND * part) for part in (0.25, 0.5)]
        found = [_said(diagnoser.look(world.graph(), one)) for one in looks][-1]
        world = World()
        world.lock("db", "task:busy")
        world.task("busy", steps=number)
        diagnoser.look(world.graph(), deadline + SECOND // 10 if gives_up else deadline - int(deadline_s * SECOND / 4))
    return found


def test_the_last_three_gave_up() -> None:
    assert _in_turn(4, gives_up=True) == [
        ("times_out", "SUSPECT", "late-3 waits for Lock db, held by busy; the last 3 who waited there gave up")
    ]


def test_so_it_is_told_of_who_waits_by_a_task_of_its_own() -> None:
    assert _in_turn(4, gives_up=True, by_a_task=True) == [
        ("times_out", "SUSPECT", "late-3 waits for Lock db, held by busy; the last 3 who waited there gave up")
    ]


def test_who_got_it_in_time_did_not_give_up() -> None:
    assert _in_turn(4, gives_up=False) == []


def test_a_poll_is_none() -> None:
    assert _in_turn(0.5, gives_up=True) == []


def test_who_tries_for_a_lock_by_its_name_may_leave_the_work_to_who_has_it() -> None:
    assert _in_turn(4, gives_up=True, operation="lock.poll") == []
