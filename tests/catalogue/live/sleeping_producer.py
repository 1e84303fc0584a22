# SPDX-License-Identifier: Apache-2.0
"""A producer that sleeps between two items; its consumers wait for the next one."""

import asyncio


async def consume(jobs: asyncio.Queue[int]) -> None:
    while True:
        await jobs.get()
        jobs.task_done()


async def produce(jobs: asyncio.Queue[int]) -> None:
    number = 0
    while True:
        await asyncio.sleep(1.5)
        number += 1
        await jobs.put(number)
        await jobs.join()


async def main() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue(maxsize=4)
    async with asyncio.TaskGroup() as group:
        group.create_task(produce(jobs), name="producer")
        for number in range(3):
            group.create_task(consume(jobs), name=f"consumer-{number}")


asyncio.run(main())
