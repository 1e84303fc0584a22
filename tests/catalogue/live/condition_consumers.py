# SPDX-License-Identifier: Apache-2.0
"""Consumers wait on a condition and are notified as stock comes in."""

import asyncio


class Stock:
    def __init__(self) -> None:
        self.changed = asyncio.Condition()
        self.items = 0

    async def take(self) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.items > 0)
            self.items -= 1

    async def deliver(self) -> None:
        async with self.changed:
            self.items += 3
            self.changed.notify_all()


async def customer(stock: Stock) -> None:
    while True:
        await stock.take()


async def main() -> None:
    stock = Stock()
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(customer(stock), name=f"customer-{number}")
        while True:
            await asyncio.sleep(0.2)
            await stock.deliver()


asyncio.run(main())
