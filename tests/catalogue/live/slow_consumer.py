# SPDX-License-Identifier: Apache-2.0
"""The queue is full all the time, since the consumer is slow; but it takes one item each 150 ms."""

import asyncio


async def encode(frames: asyncio.Queue[int]) -> None:
    while True:
        await frames.get()
        await asyncio.sleep(0.15)


async def capture(frames: asyncio.Queue[int]) -> None:
    for number in range(1_000_000):
        await frames.put(number)


async def main() -> None:
    frames: asyncio.Queue[int] = asyncio.Queue(maxsize=5)
    async with asyncio.TaskGroup() as group:
        group.create_task(capture(frames), name="camera")
        group.create_task(encode(frames), name="encoder")


asyncio.run(main())
