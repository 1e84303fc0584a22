# SPDX-License-Identifier: Apache-2.0
"""MagicStack/asyncpg#5: a coroutine that has a connection acquires a second one from the same pool, under load.

As in that pool, the free connections lie in a LIFO queue. One request at a time works; two at a time do not.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Pool:
    def __init__(self, size: int) -> None:
        self.holders: asyncio.LifoQueue[int] = asyncio.LifoQueue()
        for number in range(size):
            self.holders.put_nowait(number)

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[int, None]:
        holder = await self.holders.get()  # <- acquires
        try:
            yield holder
        finally:
            self.holders.put_nowait(holder)


async def transfer(pool: Pool) -> None:
    async with pool.acquire():
        await asyncio.sleep(0.1)
        async with pool.acquire():
            await asyncio.sleep(0.1)


async def main() -> None:
    pool = Pool(2)
    for number in range(3):
        await asyncio.create_task(transfer(pool), name=f"warm-up-{number}")
    async with asyncio.TaskGroup() as group:
        group.create_task(transfer(pool), name="transfer-1")
        group.create_task(transfer(pool), name="transfer-2")


asyncio.run(main())
