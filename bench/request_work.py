# SPDX-License-Identifier: Apache-2.0
"""What each request does, the same in every server: takes a lock, goes through a bounded queue to a worker and
back, and awaits a task of its own."""

from __future__ import annotations

import asyncio

BODY = b"ok\n"


class Work:
    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._jobs: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue(10)
        self._workers = [asyncio.create_task(self._work(), name=f"worker-{number}") for number in range(4)]
        self._count = 0

    async def handle(self) -> bytes:
        async with self._lock:
            self._count += 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._jobs.put(done)
        await done
        return await asyncio.create_task(self._answer())

    async def _work(self) -> None:
        while True:
            done = await self._jobs.get()
            if not done.done():
                done.set_result(None)

    async def _answer(self) -> bytes:
        await asyncio.sleep(0)
        return BODY
