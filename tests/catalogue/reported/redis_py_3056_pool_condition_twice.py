# SPDX-License-Identifier: Apache-2.0
"""redis/redis-py#3056: a blocking pool takes its condition again while it holds it, on the path that makes room.

The pool waits for a free connection under its condition; when the connection turns out to be broken, it is released
within that same block, and `release` wants the condition too.
"""

import asyncio


class BlockingPool:
    def __init__(self, size: int) -> None:
        self.condition = asyncio.Condition()
        self.free = [f"connection-{number}" for number in range(size)]

    async def get(self) -> str:
        async with self.condition:  # <- get takes condition
            await self.condition.wait_for(lambda: bool(self.free))
            connection = self.free.pop()
            if connection == "connection-0":  # the server has closed it
                await self.release(connection)
                connection = "new connection"
            return connection

    async def release(self, connection: str) -> None:
        async with self.condition:  # <- release waits for condition
            self.free.append(connection)
            self.condition.notify()


async def query(pool: BlockingPool) -> None:
    connection = await pool.get()
    await asyncio.sleep(0.1)
    await pool.release(connection)


async def main() -> None:
    pool = BlockingPool(2)
    async with asyncio.TaskGroup() as group:
        group.create_task(query(pool), name="query-1")
        group.create_task(query(pool), name="query-2")


asyncio.run(main())
