# SPDX-License-Identifier: Apache-2.0
"""A reader iterates an async generator that holds the file's lock, and in the loop asks for a lock of the writer's."""

import asyncio
from collections.abc import AsyncIterator

segment = asyncio.Lock()
offsets = asyncio.Lock()


async def records() -> AsyncIterator[int]:
    async with segment:  # <- generator takes segment
        for number in range(10):
            yield number


async def replay() -> None:
    async for number in records():
        await asyncio.sleep(0.05)
        async with offsets:  # <- replay waits for offsets
            print("replayed", number)


async def roll_over() -> None:
    async with offsets:  # <- roll_over takes offsets
        await asyncio.sleep(0.02)
        async with segment:  # <- roll_over waits for segment
            print("rolled over")


async def main() -> None:
    reader = asyncio.create_task(replay(), name="replay")
    roller = asyncio.create_task(roll_over(), name="roll-over")
    await asyncio.gather(reader, roller)


asyncio.run(main())
