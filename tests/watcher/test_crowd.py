# SPDX-License-Identifier: Apache-2.0
"""Very many tasks at once, and a look may read only so many new ones: who is in a ring is read first, and nothing is
said of what has not been looked at. Counted in looks and in tasks that were read, not in time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from unittest.mock import Mock

import pytest

from peeps_otel.model import Finding, Level, NodeKind, Snapshot
from peeps_otel.model.coverage import cannot_judge
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.watcher.interfaces import CycleResult, ExporterUsage
from peeps_otel.watcher.thread import Watcher

_FOREVER = 3600
_SETTLES_S = 0.3  # between two looks that see the same: less is a chance


class Looks:
    """A watcher that is made to look, and reads `most` new tasks in a look."""

    def __init__(self, most: int) -> None:
        recorder, context = Recorder(1 << 62), ProbeContext()
        probe = AsyncioProbe(recorder, context=context)
        self._watcher = Watcher(
            CompositeProbe([probe], context), recorder, self, interval_ns=1, key_frame_ns=1 << 62, cpu_percent=0
        )
        governor: Any = self._watcher.governor
        governor.new_tasks_most = Mock(return_value=most)
        self.tasks: dict[str, str] = {}
        self.unread: list[str] = []
        self.findings: Sequence[Finding] = []
        self.count = 0

    def look(self) -> None:
        self._watcher.look()
        self.count += 1

    def take(self, look: CycleResult) -> None:
        self.tasks |= {n.id: n.name for n in look.snapshot.nodes if n.kind is NodeKind.TASK}
        self.unread = cannot_judge(look.snapshot.coverage)
        self.findings = look.findings

    def spent(self) -> ExporterUsage:
        return ExporterUsage(0, 0)

    def goodbye(self, snapshot: Snapshot) -> None:
        pass

    @property
    def proven(self) -> list[tuple[str, list[str]]]:
        return [
            (one.kind, sorted(self.tasks[node] for node in one.core if node in self.tasks))
            for one in self.findings
            if one.level is Level.PROVEN
        ]


async def _below(event: asyncio.Event, frames: int = 3) -> None:
    if frames:
        await _below(event, frames - 1)
    else:
        await event.wait()


async def _takes(lock: asyncio.Lock) -> None:
    async with lock:
        await asyncio.sleep(_FOREVER)


async def _joins(task: asyncio.Task[Any]) -> None:
    await task


async def _crowd(groups: int) -> list[asyncio.Task[None]]:
    """Ten in a group: seven below an event, holder and waiter of a lock, who joins the holder."""
    event = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []
    for _ in range(groups):
        lock = asyncio.Lock()
        tasks += [asyncio.create_task(_below(event)) for _ in range(7)]
        holder = asyncio.create_task(_takes(lock))
        tasks += [holder, asyncio.create_task(_takes(lock)), asyncio.create_task(_joins(holder))]
    await asyncio.sleep(0)
    return tasks


async def _ring() -> list[asyncio.Task[None]]:
    locks = [asyncio.Lock() for _ in range(3)]

    async def member(number: int) -> None:
        async with locks[number]:
            await asyncio.sleep(0)
            async with locks[(number + 1) % 3]:
                raise AssertionError

    ring = [asyncio.create_task(member(number), name=f"ring {number}") for number in range(3)]
    for _ in range(4):
        await asyncio.sleep(0)
    return ring


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


RING = ("deadlock", ["ring 0", "ring 1", "ring 2"])


async def _found_in(groups: int, most: int) -> Looks:
    """The looks up to the one that proves the ring."""
    tasks = [*await _crowd(groups), *await _ring()]
    looks = Looks(most)
    try:
        while not looks.proven and looks.count < 10:
            looks.look()
            await asyncio.sleep(_SETTLES_S)
    finally:
        await _end(tasks)
    return looks


def test_a_ring_among_many_new_tasks_is_proven_by_the_second_look() -> None:
    looks = asyncio.run(_found_in(groups=300, most=100))
    assert (looks.proven, looks.count, len(looks.tasks)) == ([RING], 2, 200)
    assert looks.unread == ["2,804 new tasks have not been looked at yet"]


@pytest.mark.slow
def test_a_ring_among_a_hundred_thousand_tasks_and_ten_thousand_locks() -> None:
    looks = asyncio.run(_found_in(groups=10_000, most=1000))
    assert (looks.proven, looks.count, len(looks.tasks)) == ([RING], 2, 2000)
    assert looks.unread == ["98,004 new tasks have not been looked at yet"]


async def _all(groups: int, most: int) -> tuple[list[Looks], list[tuple[str, list[str]]]]:
    """Looks by two watchers, one that may read all at once; what either has proven on the way."""
    tasks = await _crowd(groups)
    by_and_by, at_once = Looks(most), Looks(1 << 30)
    said: list[tuple[str, list[str]]] = []
    try:
        while not by_and_by.count or by_and_by.unread:
            by_and_by.look()
            at_once.look()
            said += by_and_by.proven + at_once.proven
        by_and_by.look()
    finally:
        await _end(tasks)
    return [by_and_by, at_once], said


def test_all_are_read_by_and_by_and_until_then_nothing_is_concluded_from_who_is_missing() -> None:
    looks, said = asyncio.run(_all(groups=60, most=50))
    by_and_by, at_once = looks
    assert (said, at_once.unread, by_and_by.count) == ([], [], 600 // 50 + 2)
    assert sorted(by_and_by.tasks.values()) == sorted(at_once.tasks.values())
