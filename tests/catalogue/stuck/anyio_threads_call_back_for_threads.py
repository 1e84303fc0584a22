# SPDX-License-Identifier: Apache-2.0
"""Both worker threads of a limiter call back into the loop for something that needs a worker thread itself."""

import anyio
import anyio.from_thread
import anyio.to_thread

both_busy = 0


def compress() -> int:
    return 1


async def store(limiter: anyio.CapacityLimiter) -> int:
    return await anyio.to_thread.run_sync(compress, limiter=limiter)  # <- stores


def upload(limiter: anyio.CapacityLimiter) -> int:
    global both_busy
    both_busy += 1
    while both_busy < 2:
        anyio.from_thread.run(anyio.sleep, 0.01)
    return anyio.from_thread.run(store, limiter)  # <- calls back


async def main() -> None:
    limiter = anyio.CapacityLimiter(2)
    async with anyio.create_task_group() as group:
        for number in range(2):
            group.start_soon(request, limiter, name=f"request-{number}")


async def request(limiter: anyio.CapacityLimiter) -> None:
    await anyio.to_thread.run_sync(upload, limiter, limiter=limiter)  # <- uploads
    print("uploaded")


anyio.run(main)
