# SPDX-License-Identifier: Apache-2.0
"""A pool of two connections on an asyncio.Queue, ten tasks that take them in turns."""

import asyncio


async def worker(free: asyncio.Queue[int]) -> None:
    while True:
        connection = await free.get()
        try:
            await asyncio.sleep(0.02)
        finally:
            free.put_nowait(connection)


async def main() -> None:
    free: asyncio.Queue[int] = asyncio.Queue()
    for number in range(2):
        free.put_nowait(number)
    await asyncio.gather(*(worker(free) for _ in range(10)))


asyncio.run(main())
