# SPDX-License-Identifier: Apache-2.0
"""What is written down in detail has a limit per second; beyond it there is less to know, and nothing wrong."""

from __future__ import annotations

import asyncio
from array import array
from typing import Any

import pytest

from peeps_otel.model import Confidence, EdgeKind
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.patches.recorder import TokenBucket
from tests.probes.program import SECOND, here, kept, running
from tests.support.waiting import forever


def test_an_allowance_is_spent_and_refilled_by_time() -> None:
    allowance = TokenBucket(burst=100, per_second=10)
    left = allowance.left
    assert len(left) == 100
    left.clear()
    allowance.refill(5 * SECOND)  # more than a burst has gone by since the epoch
    assert len(left) == 50
    left.clear()
    for tenth in range(1, 21):
        allowance.refill(5 * SECOND + tenth * SECOND // 10)
    assert len(left) == 20
    allowance.refill(1000 * SECOND)
    assert len(left) == 100
    allowance.refill(999 * SECOND)  # a clock that was set back
    assert len(left) == 100
    assert allowance.left is left  # rewritten functions have it


def test_tasks_have_numbers_that_are_never_given_twice() -> None:
    """Of the others there is only a count: equal entries are one object."""
    numbered, counted = TokenBucket(burst=3, per_second=2, numbered=True), TokenBucket(burst=3, per_second=2)
    for one in (numbered, counted):
        one.refill(1 * SECOND)
        del one.left[1:]
        one.refill(2 * SECOND)
    assert (list(numbered.left), list(counted.left)) == ([1, 4, 5], [0, 0, 0])
    assert isinstance(numbered.left, array)  # no object for each of ten thousand


@pytest.mark.parametrize("places", [1, 2])
def test_where_tasks_beyond_the_allowance_were_created(probe: AsyncioProbe, places: int) -> None:
    """Taken from their like where those have one place; the line of the function itself where they have several."""

    async def worker() -> None:
        await forever()

    async def main() -> None:
        del probe.recorder.tasks.left[places:]
        if places == 2:
            kept.append(asyncio.create_task(worker(), name="elsewhere"))
        for number in range(3):
            kept.append(asyncio.create_task(worker(), name=f"worker-{number}"))  # <started>

    with running(probe, main) as program:
        seen = program.settled("worker-0", "worker-1", "worker-2")
    recorded, *others = (seen.task(f"worker-{number}") for number in range(3))
    assert (recorded.source, recorded.confidence) == (here("started"), Confidence.EXACT)
    defined = f"{worker.__code__.co_filename}:{worker.__code__.co_firstlineno}"
    expected = here("started") if places == 1 else defined
    assert [(node.source, node.confidence) for node in others] == [(expected, Confidence.INFERRED)] * 2


def test_who_holds_a_lock_is_known_beyond_the_allowance(probe: AsyncioProbe) -> None:
    locks: list[asyncio.Lock] = []

    async def holder() -> None:
        await locks[0].acquire()
        await forever()

    async def waiter() -> None:
        await locks[0].acquire()

    async def main() -> None:
        probe.recorder.holders.left.clear()
        locks.append(asyncio.Lock())
        kept.append(asyncio.create_task(holder(), name="holder"))
        kept.append(asyncio.create_task(waiter(), name="waiter"))
        await asyncio.sleep(0)  # both have run before the first look refills the allowance

    with running(probe, main) as program:
        first = program.settled("holder", "waiter")
        again = program.look()
    (name,) = first.needs("waiter")
    (before,), (after,) = (seen.edges_of(EdgeKind.HELD_BY, name) for seen in (first, again))
    assert first.holders(name) == ["task holder"]
    assert (after.confidence, after.source) == (Confidence.EXACT, None)  # who is known, where is not
    assert after.since_ns == before.since_ns  # since it was first seen, which does not move


def test_who_ended_a_wait(probe: AsyncioProbe) -> None:
    probe.recorder.long_wait_ns = 0
    lock = asyncio.Lock()
    queue: asyncio.Queue[int] = asyncio.Queue()
    event, condition, permits = asyncio.Event(), asyncio.Condition(), asyncio.Semaphore(1)

    async def wait_for_all() -> None:
        async with lock:
            pass
        await queue.get()
        await event.wait()
        async with condition:
            await condition.wait()
        async with permits:
            pass

    async def end_all() -> None:
        await permits.acquire()
        async with lock:
            await asyncio.sleep(0.01)  # <release>
        await asyncio.sleep(0.01)
        queue.put_nowait(1)  # <put>
        await asyncio.sleep(0.01)
        event.set()  # <set>
        await asyncio.sleep(0.01)
        async with condition:
            condition.notify_all()  # <notify>
        await asyncio.sleep(0.01)
        permits.release()  # <give>

    async def main() -> None:
        one = asyncio.create_task(end_all(), name="giver")
        await asyncio.sleep(0)
        await asyncio.gather(one, asyncio.create_task(wait_for_all(), name="taker"))

    with running(probe, main):
        waits = list(probe.recorder.long_waits)
    found = {type(wait.resource()).__name__: wait.waker for wait in waits if wait.task_name == "taker"}
    assert {name: waker and waker.task for name, waker in found.items()} == dict.fromkeys(
        ("Lock", "Queue", "Event", "Condition", "Semaphore"), "giver"
    )
    lines = {name: _line(waker) for name, waker in found.items()}
    markers = {"Queue": "put", "Event": "set", "Condition": "notify", "Semaphore": "give"}
    assert {name: lines[name] for name in markers} == {name: here(marker) for name, marker in markers.items()}


def _line(waker: Any) -> str:
    from peeps_otel.probes.source import source_text

    return source_text.source_of(waker.code, waker.lasti)


def test_beyond_the_allowance_nothing_stands_in_front_of_uvloop(probe: AsyncioProbe) -> None:
    uvloop = pytest.importorskip("uvloop")
    untouched = uvloop.Loop.__mro__[1].create_task

    async def main() -> None:
        assert uvloop.Loop.create_task is not untouched
        del probe.recorder.tasks.left[1:]
        loop = asyncio.get_running_loop()
        kept.append(loop.create_task(forever(), name="recorded"))  # <direct>
        assert uvloop.Loop.create_task is untouched
        kept.append(loop.create_task(forever(), name="beyond"))

    with running(probe, main, "uvloop") as program:
        seen = program.settled("recorded", "beyond")
        assert uvloop.Loop.create_task is not untouched  # the look has refilled the allowance
    assert (seen.task("recorded").source, seen.task("recorded").confidence) == (here("direct"), Confidence.EXACT)
    assert seen.task("beyond").confidence is Confidence.INFERRED
    probe.uninstall()
    assert uvloop.Loop.create_task is untouched
    assert "create_task" not in vars(uvloop.Loop)
