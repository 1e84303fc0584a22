# SPDX-License-Identifier: Apache-2.0
"""Ten visitors share the future of the first, which takes four seconds, again and again; some owners are cancelled."""

import asyncio


class Rates:
    def __init__(self) -> None:
        self.pending: dict[str, asyncio.Future[float]] = {}

    async def get(self, currency: str) -> float:
        if currency in self.pending:
            return await asyncio.shield(self.pending[currency])
        future = self.pending[currency] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.sleep(4)
            future.set_result(1.1)
        finally:
            if not future.done():
                future.set_exception(OSError("try again"))
                future.exception()
            del self.pending[currency]
        return 1.1


async def visitor(rates: Rates, number: int) -> None:
    while True:
        try:
            async with asyncio.timeout(60 if number else 3):
                await rates.get("EUR")
        except (OSError, TimeoutError):
            await asyncio.sleep(0.1)


async def main() -> None:
    rates = Rates()
    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(visitor(rates, number), name=f"visitor-{number}")


asyncio.run(main())
