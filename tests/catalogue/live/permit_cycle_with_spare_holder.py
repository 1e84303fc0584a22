# SPDX-License-Identifier: Apache-2.0
"""A ring through a semaphore that is not a deadlock: the second permit is with a task that will give it back."""

import asyncio

slots = asyncio.Semaphore(2)
table = asyncio.Lock()


async def index() -> None:
    async with slots:
        await asyncio.sleep(0.05)
        async with table:
            print("indexed")


async def vacuum() -> None:
    async with table:
        await asyncio.sleep(0.1)
        async with slots:
            print("vacuumed")


async def backup() -> None:
    async with slots:
        await asyncio.sleep(1.2)  # and then it gives its slot back


async def main() -> None:
    while True:
        async with asyncio.TaskGroup() as group:
            group.create_task(backup(), name="backup")
            group.create_task(index(), name="index")
            group.create_task(vacuum(), name="vacuum")


asyncio.run(main())
