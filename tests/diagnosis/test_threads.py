# SPDX-License-Identifier: Apache-2.0
"""Threads, their loops, futures and executors in one graph."""

from __future__ import annotations

from typing import Any

import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Frame, Level, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief, diagnose


def _loop_waits_for_its_own_task(**task: Any) -> World:
    """`run_coroutine_threadsafe(fetch(), loop).result()` on the thread of the loop."""
    world = World()
    world.resource(NodeKind.FUTURE, "fetch", "task:fetch")
    world.thread("MainThread", "future:fetch", operation="future.result")
    world.task("fetch", thread="MainThread", **task)
    return world


def test_a_loop_that_blocks_on_its_own_task_in_full() -> None:
    world = _loop_waits_for_its_own_task(peeps__loop__id=1)
    world.task("poller", deadline=START + 2 * SECOND, operation="sleep", thread="MainThread")
    world.task("other")
    (finding,) = diagnose(world)
    assert finding.level is Level.PROVEN
    assert finding.title == (
        "MainThread waits for future fetch, to be completed by fetch, which cannot run while MainThread is blocked"
    )
    assert finding.core == ["future:fetch", "task:fetch", "thread:MainThread"]
    assert finding.blocked == ["task:poller"]
    assert [(site.source, site.count) for site in finding.blocked_sites] == [("/srv/shop/app/main.py:1", 1)]
    assert finding.advice == (
        "app/work.py:3 blocks the thread of an event loop that must run for it to return. "
        "Await it (asyncio.wrap_future), or make the blocking call in another thread (asyncio.to_thread)."
    )
    assert finding.look_at == "/srv/shop/app/work.py:3"


def test_the_advice_for_a_loop_that_is_not_asyncio_s() -> None:
    (finding,) = diagnose(_loop_waits_for_its_own_task())
    assert finding.advice.endswith(
        "Call what gives way instead, or run it in another thread (Trio: `trio.to_thread.run_sync`; "
        "gevent: `get_hub().threadpool.apply`)."
    )
    assert [link.text for link in finding.evidence] == [
        "MainThread waits for future fetch at app/work.py:3; fetch completes it",
        "fetch cannot run while MainThread is blocked",
    ]
    assert [link.holder_doing for link in finding.evidence] == [
        "cannot run while MainThread is blocked",
        "waits for future fetch at app/work.py:3",
    ]


@pytest.mark.parametrize("state", ["runnable", "sleeping", "reading"])
def test_it_does_not_matter_what_its_task_does_meanwhile(state: str) -> None:
    """A timer that is due does not fire, and bytes that are there are not read, before the loop comes round."""
    tasks: dict[str, dict[str, object]] = {
        "runnable": {},
        "sleeping": {"deadline": START + SECOND // 2, "operation": "sleep"},
        "reading": {"operation": "stream.read", "deadline": None},
    }
    assert [f.level for f in diagnose(_loop_waits_for_its_own_task(**tasks[state]))] == [Level.PROVEN]


def test_a_task_of_another_loop_ends_the_wait() -> None:
    world = _loop_waits_for_its_own_task()
    world.task("fetch", thread="Other")
    world.thread("Other")
    assert diagnose(world, after=60 * SECOND) == []


def test_a_timeout_of_the_blocking_call_ends_it() -> None:
    world = _loop_waits_for_its_own_task()
    wait = world.nodes["thread:MainThread"].wait
    assert wait is not None
    wait.deadline_ns = START + 90 * SECOND
    assert diagnose(world, after=60 * SECOND) == []


def test_a_loop_that_was_idle_at_the_look_before_is_not_stuck() -> None:
    world, diagnoser = _loop_waits_for_its_own_task(), Diagnoser()
    world.nodes["thread:MainThread"].state = "idle"
    assert diagnose(world, after=60 * SECOND, diagnoser=diagnoser) == []


def test_two_threads_and_two_locks() -> None:
    world = World()
    world.lock("db", "thread:a")
    world.lock("log", "thread:b")
    world.thread("a", "lock:log")
    world.thread("b", "lock:db")
    (finding,) = diagnose(world)
    assert (finding.level, finding.title) == (
        Level.PROVEN,
        "thread a waits for Lock log, held by thread b, which waits for Lock db, held by thread a",
    )
    assert finding.advice == "Take Lock db and Lock log in the same order everywhere."
    assert finding.break_first == "thread b: it took Lock log last at app/hold.py:4"


def test_a_threading_lock_that_is_held_across_an_await() -> None:
    world = World()
    world.lock("cache", "task:writer")
    world.task("writer", "event:flushed", operation="event.wait", thread="MainThread")
    world.resource(NodeKind.EVENT, "flushed", providers=Providers.OPEN)
    world.thread("MainThread", "lock:cache")
    (finding,) = diagnose(world)
    assert (finding.level, finding.title) == (
        Level.PROVEN,
        "MainThread waits for Lock cache, held by writer, which cannot run while MainThread is blocked",
    )


def test_a_loop_that_waits_for_a_thread_that_waits_for_the_loop() -> None:
    world = World()
    world.thread("MainThread", "thread:helper", operation="thread.join")
    world.resource(NodeKind.FUTURE, "save", "task:save")
    world.thread("helper", "future:save", operation="future.result")
    world.task("save", thread="MainThread")
    (finding,) = diagnose(world)
    assert (finding.level, finding.core) == (
        Level.PROVEN,
        ["future:save", "task:save", "thread:MainThread", "thread:helper"],
    )


def _pool(workers: int, **kinds: Providers) -> World:
    """A worker that waits for work queued behind it."""
    world = World()
    names = [f"worker-{number}" for number in range(workers)]
    world.resource(
        NodeKind.EXECUTOR, "pool", *(f"thread:{name}" for name in names), providers=kinds.get("pool", Providers.CLOSED)
    )
    world.resource(NodeKind.FUTURE, "inner", "executor:pool")
    for name in names:
        world.thread(name, "future:inner", operation="future.result")
    return world


@pytest.mark.parametrize("workers", [1, 3])
def test_a_pool_whose_workers_all_wait_for_queued_work(workers: int) -> None:
    (finding,) = diagnose(_pool(workers))
    assert finding.level is Level.PROVEN
    assert len([member for member in finding.core if member.startswith("thread:")]) == workers
    assert (
        finding.title
        == {
            1: "thread worker-0 waits for future inner, queued behind itself",
            3: "thread worker-0, thread worker-1 and thread worker-2 wait for future inner, queued behind themselves",
        }[workers]
    )
    assert [link.waiter for link in finding.evidence] == [f"thread:worker-{number}" for number in range(workers)]
    assert finding.advice == (
        "Work in executor pool waits for other work that is queued in it. Give the inner work a pool of its own, "
        "or do not wait for it inside the pool. More workers only put it off."
    )


def test_a_pool_with_one_free_worker() -> None:
    world = _pool(3)
    world.edges = [edge for edge in world.edges if edge.src != "thread:worker-2"]
    world.thread("worker-2", state="idle")
    assert diagnose(world, after=60 * SECOND) == []


def test_a_pool_that_may_still_grow() -> None:
    assert [f for f in diagnose(_pool(1, pool=Providers.OPEN)) if f.level.stuck] == []


def test_a_future_that_nobody_is_left_to_complete() -> None:
    world = World()
    world.resource(NodeKind.FUTURE, "reply")
    world.task("caller", "future:reply", operation="future")
    world.task("behind", "task:caller", operation="task")
    (finding,) = diagnose(world)
    assert (finding.kind.value, finding.level, finding.core, finding.blocked) == (
        "never_ends",
        Level.PROVEN,
        ["task:caller", "future:reply"],
        ["task:behind"],
    )
    assert finding.title == "caller waits for future reply, but nobody is left who could end that wait"


def test_a_future_that_anybody_may_complete() -> None:
    world = World()
    world.resource(NodeKind.FUTURE, "reply", providers=Providers.OPEN)
    world.task("caller", "future:reply", operation="future")
    assert diagnose(world, after=600 * SECOND) == []


def test_a_blocked_loop_in_full() -> None:
    world = World()
    stack = (
        Frame("main", "/srv/shop/app/main.py", 3, ""),
        Frame("handle", "/srv/shop/app/web.py", 40),
        Frame("request", "/srv/venv/lib/python3.11/site-packages/requests/api.py", 59, "requests"),
    )
    world.thread("MainThread", stack=stack, state="blocked", peeps__loop__stalled_since=START)
    world.task("handler", thread="MainThread", peeps__task__step_since=START)
    world.task("ticker", deadline=START + 9 * SECOND, operation="sleep", thread="MainThread")
    assert diagnose(world, after=8 * SECOND // 10 - 1) == []
    (finding,) = diagnose(world, after=8 * SECOND // 10)
    assert brief([finding]) == [
        (
            "loop_blocked",
            "SUSPECT",
            "the event loop of MainThread is in a blocking call in handle (app/web.py:40), in task handler",
        )
    ]
    assert (finding.core, finding.blocked) == (["thread:MainThread", "task:handler"], ["task:ticker"])
    assert finding.look_at == "/srv/shop/app/web.py:40"


def test_a_loop_that_computes() -> None:
    world = World()
    stack = (Frame("crunch", "/srv/shop/app/web.py", 41),)
    world.thread("MainThread", stack=stack, peeps__loop__stalled_since=START)
    (finding,) = diagnose(world, after=SECOND)
    assert finding.title == "the event loop of MainThread computes in crunch (app/web.py:41)"


def test_a_blocked_loop_is_followed_to_whom_it_waits_for() -> None:
    world = World()
    printer = world.resource(NodeKind.IO, "10.0.0.7:8883", providers=Providers.OPEN)
    world.thread("mqtt", printer, operation="ssl.handshake")
    stack = (Frame("loop_stop", "/srv/shop/app/mqtt.py", 11),)
    world.thread("MainThread", "thread:mqtt", operation="thread.join", stack=stack, peeps__loop__stalled_since=START)
    (finding,) = diagnose(world, after=SECOND)
    assert finding.title == (
        "the event loop of MainThread is in a blocking call in loop_stop (app/work.py:3); it waits for the end of "
        "thread mqtt, which waits for io 10.0.0.7:8883 at app/work.py:2"
    )


def test_a_deadlock_explains_its_blocked_loop() -> None:
    world = _loop_waits_for_its_own_task()
    world.nodes["thread:MainThread"].attributes["peeps.loop.stalled_since"] = START
    world.nodes["task:fetch"].attributes["peeps.task.step_since"] = START
    diagnoser = Diagnoser()
    diagnoser.look(world.graph(), START + 8 * SECOND)
    assert [f.kind.value for f in diagnoser.look(world.graph(), START + 9 * SECOND)] == ["deadlock"]
