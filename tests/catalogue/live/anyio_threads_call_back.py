# SPDX-License-Identifier: Apache-2.0
"""Worker threads under a limiter call back into the loop, which needs no thread for that."""

import time

import anyio
import anyio.from_thread
import anyio.to_thread

stored: list[float] = []


async def store(value: float) -> None:
    await anyio.sleep(0.03)
    stored.append(value)
    del stored[:-10]


def compute() -> None:
    time.sleep(0.02)
    anyio.from_thread.run(store, time.time())


async def worker(limiter: anyio.CapacityLimiter) -> None:
    while True:
        await anyio.to_thread.run_sync(compute, limiter=limiter)


async def main() -> None:
    limiter = anyio.CapacityLimiter(2)
    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(worker, limiter, name=f"worker-{number}")


anyio.run(main)
