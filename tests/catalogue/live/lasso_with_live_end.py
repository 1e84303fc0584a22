# SPDX-License-Identifier: Apache-2.0
"""A long chain of waits with a loop's shape, whose head is a task that runs: everybody gets through."""

import asyncio

stages = [asyncio.Lock() for _ in range(5)]


async def head() -> None:
    async with stages[0]:
        await asyncio.sleep(0.5)


async def link(number: int) -> None:
    async with stages[number], stages[number - 1]:
        await asyncio.sleep(0.01)


async def main() -> None:
    while True:
        async with asyncio.TaskGroup() as group:
            group.create_task(head(), name="head")
            for number in range(1, len(stages)):
                group.create_task(link(number), name=f"link-{number}")


asyncio.run(main())
