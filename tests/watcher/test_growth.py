# SPDX-License-Identifier: Apache-2.0
"""A look at eight times as many tasks costs eight times as much, and not more: each phase, from the tasks to the
snapshot as it is sent and read again. Counted are the functions that are called, Python's and C's, by a clock that is
made up, so that a busy machine makes no difference."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import pytest

from peeps_otel.model import Snapshot
from peeps_otel.model.wire import Encoder
from peeps_otel.model.wire_decoder import Decoder
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.watcher.interfaces import CycleResult, ExporterUsage
from peeps_otel.watcher.thread import Watcher
from tests.watcher.stepped_clock import SteppedClock

pytestmark = pytest.mark.slow
SMALL, LARGE, LINEAR = 300, 2400, 1.2
S = 1_000_000_000
LOOKS = ("first", "second", "up to the tenth", "unchanged", "key frame, read again")


def calls_of(what: Callable[[], object]) -> int:
    """How many functions it calls."""
    count = 0

    def profiled(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profiled)
    try:
        what()
    finally:
        sys.setprofile(None)
    return count


class Looks:
    """A watcher without a budget that is made to look."""

    def __init__(self) -> None:
        self._clock = SteppedClock()
        recorder, context = Recorder(1 << 62), ProbeContext()
        probe = AsyncioProbe(recorder, 1 << 30, context=context)
        self.watcher = Watcher(
            CompositeProbe([probe], context),
            recorder,
            self,
            interval_ns=1,
            key_frame_ns=1 << 62,
            cpu_percent=0,
            bytes_per_s=0,
            clock=self._clock,
        )
        self._encoder = Encoder()
        self.sent = b""

    def look(self, count: int = 1) -> None:
        """A second from one to the next."""
        for _ in range(count):
            self._clock.step(1)
            self.watcher.look()

    def take(self, look: CycleResult) -> None:
        self.sent = self._encoder.encode(look.snapshot)

    def spent(self) -> ExporterUsage:
        return ExporterUsage(0, 0)

    def goodbye(self, snapshot: Snapshot) -> None:
        pass

    def key_frame_read_again(self) -> None:
        self.watcher.request_key_frame()
        self.look()
        assert Decoder().decode(self.sent).nodes


async def _holds(lock: asyncio.Lock, seconds: float) -> None:
    async with lock:
        await asyncio.sleep(seconds)


async def locks(size: int) -> list[Awaitable[object]]:
    """Each with a holder that sleeps and one that waits: a finding of each, were they not alike."""
    all_locks = [asyncio.Lock() for _ in range(size // 2)]
    return [_holds(lock, 3600) for lock in all_locks for _ in range(2)]


async def one_event(size: int) -> list[Awaitable[object]]:
    event = asyncio.Event()
    return [event.wait() for _ in range(size)]


async def one_lock(size: int) -> list[Awaitable[object]]:
    lock = asyncio.Lock()
    return [_holds(lock, 3600) for _ in range(size)]


async def full_queues(size: int) -> list[Awaitable[object]]:
    queues: list[asyncio.Queue[int]] = [asyncio.Queue(1) for _ in range(size // 2)]
    for queue in queues:
        queue.put_nowait(0)
    return [queue.put(1) for queue in queues for _ in range(2)]


async def _costs(world: Callable[[int], Awaitable[list[Awaitable[object]]]], size: int) -> list[float]:
    """Calls per task of each of `LOOKS`."""
    tasks = [asyncio.ensure_future(one) for one in await world(size)]
    await asyncio.sleep(0)
    looks = Looks()
    try:
        counts = [calls_of(looks.look), calls_of(looks.look), calls_of(lambda: looks.look(8))]
        looks.look(20)
        counts += [calls_of(lambda: looks.look(6)), calls_of(looks.key_frame_read_again)]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [count / size for count in counts]


@pytest.mark.parametrize("world", [locks, one_event, one_lock, full_queues])
def test_no_phase_of_a_look_grows_faster_than_what_there_is(
    world: Callable[[int], Awaitable[list[Awaitable[object]]]],
) -> None:
    small, large = (asyncio.run(_costs(world, size)) for size in (SMALL, LARGE))
    grown = {look: round(after / before, 2) for look, before, after in zip(LOOKS, small, large, strict=True)}
    assert {look: times for look, times in grown.items() if times > LINEAR} == {}


async def _unchanged(size: int) -> float:
    """Calls per task of a look at which nobody has moved, and that asks no rule: nothing has changed for long."""
    tasks = [asyncio.ensure_future(one) for one in await locks(size)]
    await asyncio.sleep(0)
    looks = Looks()
    try:
        looks.look(24)
        return min(calls_of(looks.look) for _ in range(3)) / size
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_a_look_at_which_nobody_has_moved_calls_no_more_for_each_task_of_many() -> None:
    """A half of these tasks has a lock that the other half waits for; one lock in eight is described anew."""
    small, large = asyncio.run(_unchanged(600)), asyncio.run(_unchanged(4_000))
    assert large <= LINEAR * small
    assert large < 6
