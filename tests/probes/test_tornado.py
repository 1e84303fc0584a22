# SPDX-License-Identifier: Apache-2.0
"""Tornado's locks, semaphores, events, conditions and queues, by whatever way they are waited for."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from tornado import locks, queues

from peeps_otel import semconv
from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import EdgeKind, Finding, Graph
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from tests.probes.program import SECOND, Seen, here, running, started
from tests.support.waiting import forever

_MINUTE = datetime.timedelta(seconds=60)
lock = locks.Lock()


async def _taken(lock: Any) -> None:
    """By a task of its own that gives it back by leaving a block."""

    async def holder() -> None:
        async with lock:
            await forever()

    started(holder(), "holder")
    await asyncio.sleep(0.01)


async def lock_in_a_block() -> None:
    lock = locks.Lock()

    async def waiter() -> None:
        async with lock:  # <lock_in_a_block>
            pass

    await _taken(lock)
    started(waiter())


async def lock_by_what_acquire_gives() -> None:
    lock = locks.Lock()

    async def holder() -> None:
        with await lock.acquire():
            await forever()

    async def waiter() -> None:
        with await lock.acquire():  # <lock_by_what_acquire_gives>
            pass

    started(holder(), "holder")
    await asyncio.sleep(0.01)
    started(waiter())


async def lock_taken_bare() -> None:
    lock = locks.Lock()

    async def holder() -> None:
        await lock.acquire()
        await forever()

    async def waiter() -> None:
        await lock.acquire()  # <lock_taken_bare>

    started(holder(), "holder")
    await asyncio.sleep(0.01)
    started(waiter())


async def lock_of_the_module() -> None:
    async def waiter() -> None:
        await lock.acquire()  # <lock_of_the_module>

    await _taken(lock)
    started(waiter())


async def lock_with_a_timeout() -> None:
    lock = locks.Lock()

    async def waiter() -> None:
        await lock.acquire(timeout=_MINUTE)  # <lock_with_a_timeout>

    await _taken(lock)
    started(waiter())


async def semaphore() -> None:
    lock = locks.Semaphore(1)

    async def waiter() -> None:
        async with lock:  # <semaphore>
            pass

    await _taken(lock)
    started(waiter())


async def bounded_semaphore() -> None:
    lock = {"of": locks.BoundedSemaphore(2)}

    async def waiter() -> None:
        with await lock["of"].acquire():  # <bounded_semaphore>
            pass

    await _taken(lock["of"])
    await _taken(lock["of"])
    started(waiter())


async def event() -> None:
    ready = locks.Event()

    async def waiter() -> None:
        await ready.wait()  # <event>

    started(waiter())


async def event_with_a_timeout() -> None:
    ready = locks.Event()

    async def waiter() -> None:
        await ready.wait(timeout=_MINUTE)  # <event_with_a_timeout>

    started(waiter())


class _Shop:
    def __init__(self) -> None:
        self.changed = locks.Condition()

    async def watch(self) -> None:
        await self.changed.wait()  # <condition>


async def condition() -> None:
    started(_Shop().watch())


async def queue_get() -> None:
    jobs = queues.Queue[int]()

    async def waiter() -> None:
        await jobs.get()  # <queue_get>

    started(waiter())


async def queue_iterated() -> None:
    async def waiter(jobs: queues.Queue[int]) -> None:
        async for _ in jobs:  # <queue_iterated>
            pass

    started(waiter(queues.PriorityQueue()))


async def queue_put() -> None:
    jobs = queues.Queue[int](maxsize=1)

    async def waiter() -> None:
        jobs.put_nowait(1)
        await jobs.put(2)  # <queue_put>

    started(waiter())


async def queue_join() -> None:
    jobs = queues.Queue[int]()

    async def waiter() -> None:
        jobs.put_nowait(1)
        await jobs.join()  # <queue_join>

    started(waiter())


async def queue_get_with_a_timeout() -> None:
    jobs = queues.Queue[int]()

    async def waiter() -> None:
        await jobs.get(timeout=_MINUTE)  # <queue_get_with_a_timeout>

    started(waiter())


async def lock_whose_future_is_kept() -> None:
    """Whoever has it may cancel it."""
    lock = locks.Lock()

    async def waiter() -> None:
        turn = lock.acquire()
        await turn  # <lock_whose_future_is_kept>

    await _taken(lock)
    started(waiter())


async def another_future_beside_a_queue() -> None:
    jobs = queues.Queue[int]()

    async def taker() -> None:
        await jobs.get()

    async def waiter() -> None:
        assert jobs.empty()
        await asyncio.get_running_loop().create_future()  # <another_future_beside_a_queue>

    started(taker(), "taker")
    started(waiter())


class Expected(NamedTuple):
    operation: str
    needs: str
    holders: tuple[str, ...] = ()
    providers: str = "open"
    deadline: bool = False


_CASES: dict[Callable[[], Awaitable[None]], Expected] = {
    lock_in_a_block: Expected("lock.acquire", "lock lock", ("task holder",), "closed"),
    lock_by_what_acquire_gives: Expected("lock.acquire", "lock lock", ("task holder",), "closed"),
    lock_taken_bare: Expected("lock.acquire", "lock lock"),
    lock_of_the_module: Expected("lock.acquire", "lock lock", ("task holder",), "closed"),
    lock_with_a_timeout: Expected("lock.acquire", "lock lock", ("task holder",), "closed", deadline=True),
    semaphore: Expected("semaphore.acquire", "semaphore lock", ("task holder",), "estimated"),
    bounded_semaphore: Expected("semaphore.acquire", "semaphore lock", ("task holder", "task holder"), "closed"),
    event: Expected("event.wait", "event ready"),
    event_with_a_timeout: Expected("event.wait", "event ready", deadline=True),
    condition: Expected("condition.wait", "condition changed"),
    queue_get: Expected("queue.get", "rx jobs"),
    queue_iterated: Expected("queue.get", "rx jobs"),
    queue_put: Expected("queue.put", "tx jobs"),
    queue_join: Expected("queue.join", "rx jobs"),
    queue_get_with_a_timeout: Expected("queue.get", "rx jobs", deadline=True),
    lock_whose_future_is_kept: Expected("future", "future"),
    another_future_beside_a_queue: Expected("future", "future"),
}


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.__name__)
def test_a_wait(probe: AsyncioProbe, loop_kind: str, case: Callable[[], Awaitable[None]]) -> None:
    expected = _CASES[case]
    before = time.time_ns()
    with running(probe, case, loop_kind) as program:
        program.until(lambda seen: seen.operation("waiter") == expected.operation)
        seen = program.settled("waiter")
    wait = seen.task("waiter").wait
    assert wait is not None
    assert seen.observation.coverage == []
    (needs,) = seen.needs("waiter") or ["future"]  # a future's node is of another table
    assert (wait.operation, needs.partition(" (")[0]) == (expected.operation, expected.needs)
    assert wait.source == here(case.__name__)
    assert (wait.deadline_ns is not None) == expected.deadline
    if wait.deadline_ns is not None:
        assert before + 59 * SECOND < wait.deadline_ns < time.time_ns() + 61 * SECOND
    if needs != "future":
        assert (tuple(seen.holders(needs)), str(seen.node(needs).providers)) == (expected.holders, expected.providers)


def test_a_lock_is_called_one_however_it_is_met(probe: AsyncioProbe, loop_kind: str) -> None:
    """It consists of a semaphore, which is all that who is in the block of an `acquire()` has."""
    with running(probe, lock_by_what_acquire_gives, loop_kind) as program:
        program.settled("waiter", "holder")
        attributes = program.look().node("lock lock").attributes
    found = [attributes[one] for one in (semconv.RESOURCE_TYPE, semconv.LOCK_LOCKED, semconv.RESOURCE_WAITERS)]
    assert found == ["tornado.locks.Lock", True, 1]


def test_both_ends_of_a_queue(probe: AsyncioProbe, loop_kind: str) -> None:
    with running(probe, queue_put, loop_kind) as program:
        program.settled("waiter")
        seen = program.look()
        (edge,) = seen.edges_of(EdgeKind.CHANNEL_LINK, "tx jobs")
    tx, rx = seen.nodes[edge.src].attributes, seen.nodes[edge.dst].attributes
    assert (tx[semconv.CHANNEL_WAITERS], rx[semconv.CHANNEL_WAITERS]) == (1, 0)
    assert (tx[semconv.CHANNEL_LENGTH], tx[semconv.CHANNEL_CAPACITY], rx[semconv.CHANNEL_UNFINISHED]) == (1, 1, 1)


@pytest.mark.parametrize("end", ["get", "put"])
def test_each_of_very_many_is_seen_at_its_end(probe: AsyncioProbe, loop_kind: str, end: str) -> None:
    jobs = queues.Queue[int](maxsize=1)

    async def waiter() -> None:
        await (jobs.get() if end == "get" else jobs.put(1))

    async def main() -> None:
        if end == "put":
            jobs.put_nowait(1)
        for number in range(200):
            started(waiter(), f"waiter-{number}")

    with running(probe, main, loop_kind) as program:
        program.until(lambda seen: _operations(seen) == [f"queue.{end}"] * 200)
        program.call(lambda: jobs.put_nowait(1) if end == "get" else jobs.get_nowait())
        program.until(lambda seen: _operations(seen) == [f"queue.{end}"] * 199)


def _operations(seen: Seen) -> list[str]:
    """Of all waiters that wait."""
    return [node.wait.operation for node in seen.nodes.values() if node.name.startswith("waiter-") and node.wait]


def test_who_gave_up_is_not_counted(probe: AsyncioProbe, loop_kind: str) -> None:
    ready = locks.Condition()

    async def impatient() -> None:
        await ready.wait(timeout=datetime.timedelta(seconds=0.01))
        await forever()

    async def waiter() -> None:
        await ready.wait()

    async def main() -> None:
        started(impatient(), "impatient")
        started(waiter(), "waiter")

    with running(probe, main, loop_kind) as program:
        program.until(lambda seen: seen.operation("impatient") not in ("condition.wait", None))
        seen = program.settled("waiter")
    assert seen.node("condition ready").attributes[semconv.RESOURCE_WAITERS] == 1


@pytest.mark.parametrize(("timeout", "expected"), [(None, ["PROVEN"]), (_MINUTE, [])])
@pytest.mark.parametrize("by_acquire", [False, True])
def test_a_ring(
    probe: AsyncioProbe,
    loop_kind: str,
    by_acquire: bool,
    timeout: datetime.timedelta | None,
    expected: list[str],
) -> None:
    """A timer of one of its waits ends it."""
    one, two = locks.Lock(), locks.Lock()

    async def there() -> None:
        async with one:
            await asyncio.sleep(0)
            if by_acquire or timeout is not None:
                with await two.acquire(timeout):
                    pass
            async with two:
                pass

    async def back() -> None:
        with await two.acquire():
            await asyncio.sleep(0)
            async with one:
                pass

    async def main() -> None:
        started(there(), "a")
        started(back(), "b")

    diagnoser, findings = Diagnoser(), list[Finding]()
    with running(probe, main, loop_kind) as program:
        program.settled("a", "b")
        for _ in range(4):
            seen = program.look()
            findings = diagnoser.look(Graph(seen.nodes, seen.edges), time.time_ns())
            time.sleep(0.1)
    assert [finding.level.name for finding in findings] == expected


def test_what_is_out_of_reach_is_no_wait_for_it(probe: AsyncioProbe, loop_kind: str) -> None:
    """A function that has only the future cannot tell whose it is."""
    jobs = queues.Queue[int]()

    async def waiter(given: Awaitable[int]) -> None:
        await given

    async def main() -> None:
        started(waiter(jobs.get()))

    with running(probe, main, loop_kind) as program:
        program.until(lambda seen: seen.operation("waiter") == "future")
