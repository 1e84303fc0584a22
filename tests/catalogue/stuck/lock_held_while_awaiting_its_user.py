# SPDX-License-Identifier: Apache-2.0
"""A migration holds the schema lock while it awaits a task that needs that lock."""

import asyncio

schema = asyncio.Lock()


async def rebuild_index(table: str) -> None:
    await asyncio.sleep(0.02)
    async with schema:  # <- rebuild waits for schema
        print("rebuilt", table)


async def migrate() -> None:
    async with schema:  # <- migrate takes schema
        rebuild = asyncio.create_task(rebuild_index("orders"), name="rebuild-orders")
        await rebuild  # <- migrate awaits rebuild


async def main() -> None:
    await asyncio.create_task(migrate(), name="migrate")


asyncio.run(main())
