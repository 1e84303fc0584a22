# SPDX-License-Identifier: Apache-2.0
"""The locks are hidden in `@asynccontextmanager` functions: a transaction and a cache guard, nested both ways."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

database = asyncio.Lock()
cache = asyncio.Lock()


@asynccontextmanager
async def transaction() -> AsyncGenerator[None, None]:
    async with database:  # <- transaction
        yield


@asynccontextmanager
async def cache_guard() -> AsyncGenerator[None, None]:
    async with cache:  # <- cache guard
        yield


async def save_order() -> None:
    async with transaction():
        await asyncio.sleep(0.05)
        async with cache_guard():
            print("saved")


async def warm_up() -> None:
    async with cache_guard():
        await asyncio.sleep(0.05)
        async with transaction():
            print("warm")


async def main() -> None:
    orders = asyncio.create_task(save_order(), name="orders")
    warmer = asyncio.create_task(warm_up(), name="warmer")
    await asyncio.wait([orders, warmer])


asyncio.run(main())
