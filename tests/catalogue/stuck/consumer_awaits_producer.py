# SPDX-License-Identifier: Apache-2.0
"""The consumer awaits the producer before it drains the queue, and the producer waits for room in it."""

import asyncio


async def produce(rows: asyncio.Queue[int]) -> None:
    for number in range(100):
        await rows.put(number)  # <- producer waits for room


async def load() -> None:
    rows: asyncio.Queue[int] = asyncio.Queue(maxsize=10)
    producer = asyncio.create_task(produce(rows), name="producer")
    await producer  # <- loader awaits producer
    while not rows.empty():
        print(rows.get_nowait())


async def main() -> None:
    await asyncio.create_task(load(), name="loader")


asyncio.run(main())
