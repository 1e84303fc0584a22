# SPDX-License-Identifier: Apache-2.0
"""A search stops after the first match; the generator is kept, not closed, and with it the lock it holds."""

import asyncio
from collections.abc import AsyncIterator

catalog = asyncio.Lock()
_recent: list[AsyncIterator[str]] = []


async def products() -> AsyncIterator[str]:
    async with catalog:
        for name in ("apple", "pear", "plum"):
            await asyncio.sleep(0)
            yield name


async def find(wanted: str) -> str | None:
    cursor = products()
    _recent.append(cursor)
    async for name in cursor:
        if name == wanted:
            return name
    return None


async def update_price() -> None:
    async with catalog:  # <- waits for catalog
        print("updated")


async def serve() -> None:
    print(await find("apple"))
    await update_price()


async def main() -> None:
    await asyncio.create_task(serve(), name="price-service")


asyncio.run(main())
