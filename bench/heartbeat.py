# SPDX-License-Identifier: Apache-2.0
"""How long an event loop was held by somebody else."""

from __future__ import annotations

import asyncio
import os
import time


class Heartbeat:
    """Beats as often as the loop runs, and keeps the longest time for which it could have run and did not.

    That time is what passed, less what the loop's thread computed itself and less what it spent in the kernel's queue
    for a processor: the machine's other programs are not ours. Linux.
    """

    def __init__(self) -> None:
        self.longest_ns = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._beat(), name="heartbeat")

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _beat(self) -> None:
        statistics = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        try:
            before = self._read(statistics)
            while True:
                await asyncio.sleep(0)
                now = self._read(statistics)
                self.longest_ns = max(self.longest_ns, now[0] - before[0] - (now[1] - before[1]) - (now[2] - before[2]))
                before = now
        finally:
            os.close(statistics)

    @staticmethod
    def _read(statistics: int) -> tuple[int, int, int]:
        """Wall clock, time on a processor, time in the queue for one; nanoseconds."""
        computed, queued, _slices = os.pread(statistics, 100, 0).split()
        return time.perf_counter_ns(), int(computed), int(queued)
