# SPDX-License-Identifier: Apache-2.0
"""A pool of two connections; each request holds one and checks out another one for the audit log."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Pool:
    def __init__(self, size: int) -> None:
        self.free = asyncio.BoundedSemaphore(size)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[str, None]:
        async with self.free:  # <- checks out
            yield "connection"


async def log_access(pool: Pool) -> None:
    async with pool.connection():
        print("logged")


async def request(pool: Pool) -> None:
    async with pool.connection():
        await asyncio.sleep(0.05)  # SELECT
        await log_access(pool)


async def main() -> None:
    pool = Pool(2)
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(request(pool), name=f"request-{number}")


asyncio.run(main())
