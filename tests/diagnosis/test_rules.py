# SPDX-License-Identifier: Apache-2.0
"""The rules beside the reduction: what each says, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Finding, Frame, Level, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief


def _looks(world: World, *seconds: float) -> list[Finding]:
    """What the last of several looks at the same world says."""
    diagnoser = Diagnoser()
    found: list[Finding] = []
    for second in seconds:
        found = diagnoser.look(world.graph(), START + int(second * SECOND))
    return found


def test_a_task_that_does_not_yield_on_a_loop_whose_thread_is_not_seen() -> None:
    world = World()
    world.task("cruncher", peeps__task__step_since=START)
    assert _looks(world, 0.9) == []
    assert brief(_looks(world, 1)) == [
        ("never_yields", "SUSPECT", "cruncher does not give its event loop back at app/main.py:1")
    ]


@pytest.mark.parametrize(("percent", "said"), [(49, False), (50, True), (100, True)])
def test_a_task_that_wakes_itself(percent: int, said: bool) -> None:
    world = World()
    world.task("poller", peeps__task__self_wakes=percent)
    found = brief(_looks(world, 1))
    assert found == ([("self_waking", "SLOW", "poller wakes itself again and again at app/main.py:1")] if said else [])


def _cancelled(requests: int = 1) -> World:
    world = World()
    world.resource(NodeKind.EVENT, "drained", providers=Providers.OPEN)
    world.task("parent")
    world.task(
        "worker",
        "event:drained",
        operation="event.wait",
        peeps__task__cancel_requests=requests,
        peeps__task__cancelled_by="task:parent",
    )
    return world


@pytest.mark.parametrize(
    ("seconds", "levels"), [((1, 5.9), []), ((1, 6), ["SLOW"]), ((1, 30.9), ["SLOW"]), ((1, 31), ["SUSPECT"])]
)
def test_a_cancelled_task_that_still_waits(seconds: tuple[float, ...], levels: list[str]) -> None:
    assert [f.level for f in _looks(_cancelled(), *seconds)] == levels


def test_who_cancelled_it_and_where_it_is() -> None:
    (finding,) = _looks(_cancelled(), 1, 40)
    assert finding.title == "worker was cancelled by parent, but still waits for Event drained at app/work.py:3"
    assert finding.look_at == "/srv/shop/app/work.py:3"


@pytest.mark.parametrize(("operation", "blamed"), [("wait_for", True), ("event.wait", False)])
def test_a_cancellation_that_wait_for_may_have_lost(operation: str, blamed: bool) -> None:
    world = World()
    world.task("inner")
    world.task("worker", "task:inner", operation=operation, peeps__task__cancel_requests=1)
    (finding,) = _looks(world, 1, 40)
    assert ("`asyncio.wait_for` itself loses a cancellation" in finding.advice) is blamed


def test_only_the_innermost_of_cancelled_tasks_is_named() -> None:
    world = _cancelled()
    world.task("group", "task:worker", operation="taskgroup", peeps__task__cancel_requests=1)
    assert [f.core for f in _looks(world, 1, 40)] == [["task:worker"]]


def test_a_cancelled_task_that_goes_on_is_slow_where_somebody_waits_for_its_end() -> None:
    def look(diagnoser: Diagnoser, after_s: float, *, waits: bool) -> list[tuple[str, str, str]]:
        world = World()
        tick = world.resource(NodeKind.EVENT, "tick", providers=Providers.OPEN)
        since = START + int((after_s - 0.1) * SECOND)
        asked: dict[str, Any] = {"peeps__task__cancel_requests": 1}
        world.task("heartbeat", tick, operation="event.wait", since=since, steps=int(after_s), **asked)
        world.task("stop", *(["task:heartbeat"] if waits else []), operation="wait")
        return brief(diagnoser.look(world.graph(), START + int(after_s * SECOND)))

    told, untold = Diagnoser(), Diagnoser()
    assert [look(told, after_s, waits=True) for after_s in (1, 5.9)] == [[], []]
    title = "heartbeat was cancelled, but goes on at app/work.py:2; stop waits for it at app/work.py:3"
    assert [look(told, after_s, waits=True) for after_s in (7, 100)] == [[("cancel_ignored", "SLOW", title)]] * 2
    world = World()
    world.task("runner", peeps__task__cancel_requests=1)
    assert _looks(world, 1, 10) == []
    assert [look(untold, after_s, waits=False) for after_s in (1, 7, 100)] == [[], [], []]


def test_a_task_that_is_not_cancelled_may_wait() -> None:
    assert _looks(_cancelled(0), 1, 40) == []


@pytest.mark.parametrize(
    ("kind", "attributes", "operation", "state"),
    [
        (NodeKind.LOCK, {"peeps__lock__locked": False}, "lock.acquire", "nobody holds it"),
        (NodeKind.SEMAPHORE, {"peeps__semaphore__available": 1}, "semaphore.acquire", "a permit is free"),
        (NodeKind.EVENT, {"peeps__event__is_set": True}, "event.wait", "it is set"),
        (NodeKind.RX, {"peeps__channel__length": 2}, "queue.get", "there is an item in it"),
        (
            NodeKind.TX,
            {"peeps__channel__length": 2, "peeps__channel__capacity": 3},
            "queue.put",
            "there is room in it",
        ),
    ],
)
def test_a_wake_up_that_was_lost(kind: NodeKind, attributes: dict[str, Any], operation: str, state: str) -> None:
    world = World()
    thing = world.resource(kind, "thing", providers=Providers.OPEN, unnamed=False, **attributes)
    world.task("waiter", thing, operation=operation)
    assert [f for f in _looks(world, 1, 2, 3.9) if f.kind == "lost_wakeup"] == []  # free since the second look
    (finding,) = [f for f in _looks(world, 1, 2, 4) if f.kind == "lost_wakeup"]
    assert finding.level is Level.LIKELY
    assert finding.title.startswith("waiter waits ")
    assert finding.title.endswith(f", although {state}")


def test_a_lock_that_is_handed_on_has_lost_nothing() -> None:
    """Free at each look, but another waiter is the oldest each time."""
    diagnoser = Diagnoser()
    for second in range(2, 20):
        world = World()
        world.resource(NodeKind.LOCK, "db", providers=Providers.OPEN, peeps__lock__locked=False)
        for number in range(second, 40):
            world.task(f"t{number}", "lock:db", since=START + number)
        assert diagnoser.look(world.graph(), START + second * SECOND) == []


def test_a_thread_that_others_overtake_has_lost_nothing() -> None:
    world = World()
    world.resource(NodeKind.LOCK, "db", providers=Providers.OPEN, peeps__lock__locked=False)
    world.thread("slow", "lock:db")
    assert _looks(world, 1, 2, 9, 60) == []


def test_a_wake_up_is_not_lost_while_the_loop_does_not_come_round() -> None:
    world = World()
    world.resource(NodeKind.LOCK, "db", providers=Providers.OPEN, peeps__lock__locked=False)
    world.thread("MainThread", stack=(Frame("f", "/srv/a.py", 1),), peeps__loop__stalled_since=START)
    world.task("waiter", "lock:db", thread="MainThread")
    assert [f.kind.value for f in _looks(world, 1, 2, 9)] == ["loop_blocked"]


def _joined(length: int, unfinished: int, consumers: int) -> World:
    world = World()
    world.resource(
        NodeKind.RX,
        "jobs",
        providers=Providers.OPEN,
        peeps__channel__length=length,
        peeps__channel__unfinished=unfinished,
    )
    world.task("main", "rx:jobs", operation="queue.join")
    for number in range(consumers):
        world.task(f"consumer-{number}", "rx:jobs", operation="queue.get")
    return world


@pytest.mark.parametrize(
    ("length", "unfinished", "consumers", "level", "why"),
    [
        (0, 2, 1, "SUSPECT", "it is empty and its consumers wait, but 2 were never marked done"),
        (0, 1, 0, "SLOW", "it is empty, but 1 were never marked done"),
        (3, 3, 0, "SLOW", "3 items in it, and nobody takes them"),
    ],
)
def test_a_join_that_nothing_comes_of(length: int, unfinished: int, consumers: int, level: str, why: str) -> None:
    world = _joined(length, unfinished, consumers)
    assert _looks(world, 1, 2, 31) == []
    assert brief(_looks(world, 1, 2, 32)) == [
        ("channel_not_drained", level, f"main waits until Queue jobs is done: {why}")
    ]


@pytest.mark.parametrize(
    ("outside", "level", "why"),
    [
        ("whoever calls what worker uses", "SUSPECT", "3 items in it, and nobody who runs is to take them"),
        ("timer consume", "SLOW", "3 items in it, and nobody takes them"),
    ],
)
def test_a_join_after_the_last_consumer_by_the_heap(outside: str, level: str, why: str) -> None:
    world = World()
    world.resource(
        NodeKind.RX,
        "jobs",
        providers=Providers.OPEN,
        peeps__channel__length=3,
        peeps__channel__unfinished=3,
        peeps__could_end__asked=START,
        peeps__could_end__outside=outside,
    )
    world.task("main", "rx:jobs", operation="queue.join")
    assert brief(_looks(world, 1, 2, 31, 32)) == [
        ("channel_not_drained", level, f"main waits until Queue jobs is done: {why}")
    ]


def test_a_queue_that_goes_down_is_being_drained() -> None:
    diagnoser = Diagnoser()
    for second in range(1, 60):
        assert diagnoser.look(_joined(100 - second, 100 - second, 0).graph(), START + second * SECOND) == []


def test_an_idle_consumer_is_no_finding() -> None:
    world = World()
    world.resource(NodeKind.RX, "jobs", providers=Providers.OPEN, peeps__channel__length=0)
    for number in range(3):
        world.task(f"consumer-{number}", "rx:jobs", operation="queue.get")
    assert _looks(world, 1, 2, 3600) == []


def test_work_that_is_queued_behind_busy_workers() -> None:
    world = World()
    world.thread("worker-0")
    world.thread("worker-1")
    world.resource(NodeKind.EXECUTOR, "pool", "thread:worker-0", "thread:worker-1")
    world.resource(NodeKind.FUTURE, "resize", "executor:pool")
    world.task("upload", "future:resize", operation="executor")
    assert _looks(world, 1, 4.9) == []
    assert brief(_looks(world, 1, 5)) == [
        (
            "executor_saturated",
            "SLOW",
            "upload waits for work queued in executor pool, whose 2 workers are all busy",
        )
    ]
    world.thread("worker-1", state="idle")
    assert _looks(world, 1, 60) == []


def test_what_the_loop_complained_of() -> None:
    world = World()
    world.resource(NodeKind.CUSTOM, "save", peeps__problem__kind="destroyed_pending", peeps__problem__count=3)
    world.resource(
        NodeKind.CUSTOM,
        "load",
        peeps__problem__kind="exception_never_retrieved",
        peeps__problem__exception="KeyError",
    )
    assert sorted(brief(_looks(world, 1))) == [
        (
            "exception_never_retrieved",
            "SLOW",
            "load failed with KeyError and nobody looked at app/things.py:2",
        ),
        ("task_destroyed", "SLOW", "save was destroyed before it ended again and again at app/things.py:1"),
    ]


def _population(count: int) -> World:
    world = World()
    for number in range(count):
        world.task(f"t{number}")
    return world


def test_tasks_of_one_place_that_become_more_and_more() -> None:
    diagnoser = Diagnoser()
    for window in range(6):
        assert diagnoser.look(_population(50 + 10 * window).graph(), START + window * 10 * SECOND) == []
    assert brief(diagnoser.look(_population(110).graph(), START + 60 * SECOND)) == [
        ("task_growth", "SLOW", "more and more tasks are made at app/main.py:1 and do not end (such as t0)")
    ]
    assert diagnoser.look(_population(110).graph(), START + 70 * SECOND) == []  # grown, but no more


@pytest.mark.parametrize("counts", [[90, 91, 92, 93, 94, 95, 99], [100, 120, 140, 130, 160, 180, 220], [500] * 7])
def test_few_tasks_or_a_number_that_goes_up_and_down_is_no_growth(counts: list[int]) -> None:
    diagnoser = Diagnoser()
    for window, count in enumerate(counts):
        assert diagnoser.look(_population(count).graph(), START + window * 10 * SECOND) == []


def _reply(name: str, since: int) -> World:
    world = World()
    world.resource(NodeKind.FUTURE, name, providers=Providers.OPEN)
    world.task("client", f"future:{name}", operation="future", since=since)
    return world


def test_a_wait_that_is_only_long_against_what_is_usual_there() -> None:
    diagnoser = Diagnoser()
    for number in range(3):  # each reply comes within a second
        diagnoser.look(_reply(f"r{number}", START + number * SECOND).graph(), START + number * SECOND)
    late = _reply("r2", START + 2 * SECOND).graph()
    assert diagnoser.look(late, START + 6 * SECOND) == []
    (finding,) = diagnoser.look(late, START + 8 * SECOND)
    assert brief([finding]) == [
        ("never_ends", "SUSPECT", "client waits for future r2, far longer than usual there"),
    ]
    assert finding.core == ["task:client", "future:r2"]


def test_two_who_wait_unusually_long_wait_for_it() -> None:
    diagnoser = Diagnoser()
    for number in range(3):
        diagnoser.look(_reply(f"r{number}", START + number * SECOND).graph(), START + number * SECOND)
    late = _reply("r2", START + 2 * SECOND)
    late.task("other", "future:r2", operation="future", since=START + 3 * SECOND)
    diagnoser.look(late.graph(), START + 6 * SECOND)
    (finding,) = diagnoser.look(late.graph(), START + 8 * SECOND)
    assert finding.title == "client and other wait for future r2, far longer than usual there"


def test_a_long_wait_at_a_line_that_is_not_known() -> None:
    assert _looks(_reply("r", START), 1, 2, 3600) == []


def test_a_lock_that_nobody_is_left_to_give_back() -> None:
    world = World()
    world.resource(NodeKind.LOCK, "db", providers=Providers.OPEN, peeps__lock__locked=True)
    world.task("waiter", "lock:db")
    assert _looks(world, 1, 1.9) == []
    assert brief(_looks(world, 1, 2)) == [
        ("lock_starved", "SUSPECT", "waiter waits for Lock db, but nobody who is alive is known to hold it")
    ]
