# SPDX-License-Identifier: Apache-2.0
"""Full channels and resources that do not come free."""

from __future__ import annotations

import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import FindingKind, Level, NodeKind, Providers, finding_id
from tests.diagnosis.world import SECOND, START, World, brief, diagnose

_LONG = 3 * SECOND


def _starved(kind: NodeKind, holders: int = 1) -> World:
    """Somebody waits for a resource whose holders wait for an event that nobody sets."""
    world = World()
    world.resource(NodeKind.EVENT, "reply", providers=Providers.OPEN)
    names = [f"holder-{number}" for number in range(holders)]
    world.resource(kind, "db", *(f"task:{name}" for name in names))
    for name in names:
        world.task(name, "event:reply", operation="event.wait", since=START - SECOND)
    world.task("waiter", f"{kind}:db")
    return world


def test_a_lock_in_full() -> None:
    (finding,) = diagnose(_starved(NodeKind.LOCK), after=_LONG)
    assert (finding.kind, finding.level) == (FindingKind.LOCK_STARVED, Level.SUSPECT)
    assert finding.id == finding_id(FindingKind.LOCK_STARVED, ["lock:db"])
    assert finding.title == "waiter waits for Lock db, held by holder-0, which waits for Event reply"
    assert finding.since_ns == START
    assert finding.core == ["task:waiter", "lock:db", "task:holder-0", "event:reply"]
    assert finding.blocked == []
    assert finding.advice == (
        "Lock db comes free when its holder gets past app/work.py:4; do not hold it across a wait that may not end."
    )
    assert [step.text for step in finding.evidence] == [
        "waiter waits for Lock db at app/work.py:5; holder-0 holds it, taken at app/hold.py:3",
        "holder-0 waits for Event reply at app/work.py:4",
    ]


def test_a_semaphore() -> None:
    assert brief(diagnose(_starved(NodeKind.SEMAPHORE, 5), after=_LONG)) == [
        (
            "semaphore_starved",
            "SUSPECT",
            "waiter waits for Semaphore db, held by holder-0, holder-1, holder-2 and 2 more",
        )
    ]


def test_a_semaphore_with_a_live_holder_is_not_starved() -> None:
    world = _starved(NodeKind.SEMAPHORE, 2)
    world.task("holder-1")
    world.edges = [edge for edge in world.edges if edge.src != "task:holder-1"]
    assert diagnose(world, after=60 * SECOND) == []


@pytest.mark.parametrize("kind", [NodeKind.LOCK, NodeKind.SEMAPHORE])
def test_not_while_the_wait_is_short(kind: NodeKind) -> None:
    assert diagnose(_starved(kind), after=SECOND) == []


def test_not_where_such_waits_are_known_to_end() -> None:
    diagnoser = Diagnoser()
    busy = World()
    busy.task("earlier", "lock:db", since=START - 100 * SECOND)
    wait = busy.nodes["task:earlier"].wait
    assert wait is not None
    wait.source = "/srv/shop/app/work.py:5"
    diagnoser.look(busy.graph(), START - 90 * SECOND)
    diagnoser.look(World().graph(), START - 90 * SECOND)  # that wait ended after 10 s
    assert diagnose(_starved(NodeKind.LOCK), after=29 * SECOND, diagnoser=diagnoser) == []
    assert len(diagnoser.look(_starved(NodeKind.LOCK).graph(), START + 31 * SECOND)) == 1


def test_the_tail_is_counted_and_only_the_root_is_named() -> None:
    world = _starved(NodeKind.LOCK)
    world.lock("outer", "task:waiter")
    for number in range(4):
        world.task(f"tail-{number}", "lock:outer", since=START + number)
    world.task("other", "lock:db", since=START + 10)
    (finding,) = diagnose(world, after=_LONG)
    assert finding.core[:2] == ["task:waiter", "lock:db"]
    assert finding.blocked == ["task:tail-0", "task:tail-1", "task:tail-2", "task:tail-3", "task:other"]


def test_a_holder_that_runs_is_no_starvation() -> None:
    world = World()
    world.lock("db", "task:busy")
    world.task("busy")
    world.task("waiter", "lock:db")
    assert diagnose(world, after=60 * SECOND) == []


def test_a_holder_that_sleeps_is_no_starvation() -> None:
    world = World()
    world.lock("db", "task:sleeper")
    world.task("sleeper", deadline=START + 3600 * SECOND, operation="sleep")
    world.task("waiter", "lock:db")
    assert brief(diagnose(world, after=60 * SECOND)) == [
        (
            "held_across_wait",
            "SLOW",
            "waiter waits for Lock db, held by sleeper, which sleeps at app/work.py:3",
        )
    ]


def test_a_holder_that_reads_a_socket_is_slow_at_first() -> None:
    world = World()
    world.lock("db", "task:reader")
    world.task("reader", "io:socket", operation="stream.read")
    world.task("waiter", "lock:db")
    assert [finding.level for finding in diagnose(world, after=20 * SECOND)] == [Level.SLOW]
    assert [finding.level for finding in diagnose(world, after=60 * SECOND)] == [Level.SUSPECT]


def test_a_full_queue_whose_only_taker_is_stuck() -> None:
    world = World()
    world.queue("jobs", 16, 16)
    world.lock("db", "task:consumer")
    world.task("consumer", "lock:db")
    world.task("producer", "tx:jobs", operation="queue.put")
    world.touches("task:consumer", "tx:jobs")
    # The queue is full because of the ring: one finding, not two.
    assert brief(diagnose(world, after=_LONG)) == [("deadlock", "PROVEN", "consumer waits for Lock db, held by itself")]


def test_a_full_queue_whose_only_taker_waits_for_something_else() -> None:
    world = World()
    world.queue("jobs", 16, 16)
    world.resource(NodeKind.EVENT, "reply", providers=Providers.OPEN)
    world.task("consumer", "event:reply", operation="event.wait", since=START - SECOND)
    world.task("producer", "tx:jobs", operation="queue.put")
    world.touches("task:consumer", "tx:jobs")
    assert brief(diagnose(world, after=_LONG)) == [
        (
            "channel_full",
            "SUSPECT",
            "producer waits to put into Queue jobs (16/16); consumer could, but is stuck itself",
        )
    ]


def test_a_full_queue_with_a_live_taker_is_only_full() -> None:
    world = World()
    world.queue("jobs", 16, 16)
    world.task("consumer")
    world.task("producer", "tx:jobs", operation="queue.put")
    world.touches("task:consumer", "tx:jobs")
    assert diagnose(world, after=60 * SECOND) == []


def test_a_full_queue_that_nobody_takes_from() -> None:
    world = World()
    world.queue("jobs", 16, 16)
    world.task("producer", "tx:jobs", operation="queue.put")
    world.touches("task:producer", "tx:jobs")
    (finding,) = diagnose(world, after=_LONG)
    assert brief([finding]) == [
        (
            "channel_full",
            "SUSPECT",
            "producer waits to put into Queue jobs (16/16); nobody is seen who would take from it",
        )
    ]
    assert finding.advice == (
        "Somebody must take from Queue jobs, or the producer must give up: put with a timeout, or drop."
    )


def test_a_producer_that_is_awaited_by_the_only_taker() -> None:
    world = World()
    world.queue("jobs", 1, 1)
    world.task("producer", "tx:jobs", operation="queue.put")
    world.task("main", "task:producer", operation="task", cancels=True)
    world.touches("task:main", "tx:jobs")
    (finding,) = diagnose(world, after=_LONG)
    assert brief([finding]) == [
        (
            "channel_full",
            "LIKELY",
            "producer waits to put into Queue jobs (1/1), which only main can drain, "
            "which waits for the end of producer",
        )
    ]
    assert finding.advice == (
        "Take from the channel in a task of its own, or await the producer only after draining it."
    )


def test_what_a_proven_ring_explains_is_not_told_again() -> None:
    world = World()
    world.lock("db", "task:a")
    world.task("a", "lock:db")
    world.lock("log", "task:b")
    world.task("b", "lock:db")
    world.task("c", "lock:log")
    (finding,) = diagnose(world, after=60 * SECOND)
    assert (finding.level, finding.blocked) == (Level.PROVEN, ["task:b", "task:c"])
