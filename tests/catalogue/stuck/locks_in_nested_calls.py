# SPDX-License-Identifier: Apache-2.0
"""The two locks are taken four calls apart, in modules whose authors never met."""

import asyncio


class Store:
    def __init__(self) -> None:
        self.rows = asyncio.Lock()
        self.pages = asyncio.Lock()

    async def read_row(self) -> str:
        async with self.rows:  # <- evict waits for rows
            await asyncio.sleep(0.05)
            return "row"

    async def read_page(self) -> None:
        async with self.pages:  # <- query waits for pages
            await asyncio.sleep(0.05)

    async def scan(self) -> None:
        await self.read_page()

    async def query(self) -> None:
        async with self.rows:  # <- query takes rows
            await asyncio.sleep(0.05)
            await self.scan()

    async def evict(self) -> None:
        async with self.pages:  # <- evict takes pages
            await asyncio.sleep(0.05)
            await self.verify()

    async def verify(self) -> None:
        await self.read_row()


async def main() -> None:
    store = Store()
    async with asyncio.TaskGroup() as group:
        group.create_task(store.query(), name="query")
        group.create_task(store.evict(), name="evict")


asyncio.run(main())
