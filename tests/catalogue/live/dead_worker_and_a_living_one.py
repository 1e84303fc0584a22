# SPDX-License-Identifier: Apache-2.0
"""One of two consumers has died of a bad item; the other one goes on, slowly, and everything is done in the end."""

import asyncio

jobs: asyncio.Queue[int] = asyncio.Queue(maxsize=2)


async def worker(bad: int) -> None:
    while True:
        job = await jobs.get()
        if job == bad:
            raise ValueError(job)
        await asyncio.sleep(0.2)
        jobs.task_done()


async def main() -> None:
    workers = [asyncio.create_task(worker(3), name="fragile"), asyncio.create_task(worker(-1), name="sturdy")]
    for number in range(1000):
        await jobs.put(number)
    await jobs.join()
    print(workers)


asyncio.run(main())
