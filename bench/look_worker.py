# SPDX-License-Identifier: Apache-2.0
"""A program of many live tasks that is looked at: `python -m bench.look_worker MODE LOOP TASKS SECONDS`.

Its tasks wait for what tasks wait for: events below a few frames, queues, locks that others hold, timers, each other.
They are all there at the first look. While the first looks are taken the loop is kept busy by a heartbeat, for ten
seconds at most; afterwards it idles for SECONDS, and what the process then computes is ours.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

from . import watched
from .heartbeat import Heartbeat
from .loops import loop_factory
from .report_line import tell
from .steady import cpu_ns, resident_bytes

if TYPE_CHECKING:
    from peeps_otel.agent import Agent

_EAGER_SECONDS = 5.5  # at its start the watcher may spend more
_LOOKS = 3  # with the loop busy: the first one and two at which nothing has changed
_BUSY_SECONDS_MOST = 10.0
_LOOKS_SECONDS_MOST = 90.0


async def below(frames: int, event: asyncio.Event) -> None:
    if frames:
        await below(frames - 1, event)
    else:
        await event.wait()


async def reads(channel: asyncio.Queue[int]) -> None:
    await channel.get()


async def takes(lock: asyncio.Lock) -> None:
    async with lock:
        await asyncio.sleep(3600)


async def sleeps() -> None:
    await asyncio.sleep(3600)


async def joins(task: asyncio.Task[None]) -> None:
    await task


async def many_tasks(count: int) -> list[asyncio.Task[None]]:
    """In groups of ten: four below an event, two at a queue, holder and waiter of a lock, a sleeper, its joiner."""
    event = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []
    for _ in range(count // 10):
        channel: asyncio.Queue[int] = asyncio.Queue(10)
        lock = asyncio.Lock()
        tasks += [asyncio.create_task(below(3, event)) for _ in range(4)]
        tasks += [asyncio.create_task(reads(channel)) for _ in range(2)]
        tasks += [asyncio.create_task(takes(lock)) for _ in range(2)]
        tasks.append(asyncio.create_task(sleeps()))
        tasks.append(asyncio.create_task(joins(tasks[-1])))
    await asyncio.sleep(0)
    return tasks


class Looks:
    """The processor and wall time of each look, taken around the watcher's own method."""

    def __init__(self, agent: Agent) -> None:
        self.cpu_ns: list[int] = []
        self.wall_ns: list[int] = []
        self._look = agent.watcher.look
        agent.watcher.look = self._timed

    def _timed(self) -> bool:
        cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
        try:
            return self._look()
        finally:
            self.wall_ns.append(time.perf_counter_ns() - wall)
            self.cpu_ns.append(time.thread_time_ns() - cpu)


async def _busy(looks: Looks | None, beat: Heartbeat) -> None:
    """Keeps the loop busy during some looks, or without a watcher for a while; then waits for the looks to end."""
    began = time.monotonic()

    async def wait(seconds: float) -> None:
        while time.monotonic() < began + seconds and (looks is None or len(looks.cpu_ns) < _LOOKS):
            await asyncio.sleep(0.02)

    beat.start()
    await wait(_BUSY_SECONDS_MOST if looks is not None else 2.0)
    await beat.stop()
    if looks is not None:
        await wait(_LOOKS_SECONDS_MOST)


async def _idle(seconds: float) -> float:
    """The part of a core that this process and its children used meanwhile; the loop itself is asleep."""
    began, cpu = time.monotonic_ns(), cpu_ns(os.getpid())
    await asyncio.sleep(seconds)
    return (cpu_ns(os.getpid()) - cpu) / (time.monotonic_ns() - began)


async def measure(count: int, seconds: float) -> dict[str, float]:
    agent = watched.agent()
    await asyncio.sleep(3.0 if agent is not None else 0.5)  # all that is imported late is there
    figures: dict[str, float] = {"resident_before": resident_bytes(os.getpid())}
    looks = None
    if agent is not None:
        agent.pause()
        looks = Looks(agent)
    tasks = await many_tasks(count)
    beat = Heartbeat()
    if agent is not None:
        agent.resume()
    began = time.monotonic()
    await _busy(looks, beat)
    figures["hold_ms"] = beat.longest_ns / 1e6
    if looks is not None:
        if len(looks.cpu_ns) < 2:
            raise RuntimeError("too few looks")
        figures["first_cpu_ms"], figures["first_wall_ms"] = looks.cpu_ns[0] / 1e6, looks.wall_ns[0] / 1e6
        figures["next_cpu_ms"] = min(looks.cpu_ns[1:]) / 1e6
        await asyncio.sleep(max(0.0, began + _EAGER_SECONDS - time.monotonic()))
        figures["core"] = await _idle(seconds)
        figures["looks"] = len(looks.cpu_ns)
    figures["resident_after"] = resident_bytes(os.getpid())
    assert len(tasks) == count
    return figures


def main(mode: str, loop: str, count: str, seconds: str) -> None:
    watched.require(mode)
    event_loop = loop_factory(loop)()
    tell(event_loop.run_until_complete(measure(int(count), float(seconds))))
    os._exit(0)  # a hundred thousand tasks need not be cancelled


if __name__ == "__main__":
    main(*sys.argv[1:])
