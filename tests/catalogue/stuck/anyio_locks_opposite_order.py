# SPDX-License-Identifier: Apache-2.0
"""AnyIO: two locks in opposite order, in the tasks of one group."""

import anyio


class Warehouse:
    def __init__(self) -> None:
        self.shelves = anyio.Lock()
        self.orders = anyio.Lock()

    async def pick(self) -> None:
        async with self.orders:  # <- pick takes orders
            await anyio.sleep(0.05)
            async with self.shelves:  # <- pick waits for shelves
                print("picked")

    async def refill(self) -> None:
        async with self.shelves:  # <- refill takes shelves
            await anyio.sleep(0.05)
            async with self.orders:  # <- refill waits for orders
                print("refilled")


async def main() -> None:
    warehouse = Warehouse()
    async with anyio.create_task_group() as group:
        group.start_soon(warehouse.pick, name="pick")
        group.start_soon(warehouse.refill, name="refill")


anyio.run(main)
