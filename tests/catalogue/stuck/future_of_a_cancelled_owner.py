# SPDX-License-Identifier: Apache-2.0
"""Who asks for the same rate waits for the future of who asked first, whose request was cancelled meanwhile.

The owner completes it when it has the answer or an error; a cancellation is neither, and nobody takes the future out.
"""

import asyncio


class Rates:
    def __init__(self) -> None:
        self.pending: dict[str, asyncio.Future[float]] = {}

    async def get(self, currency: str) -> float:
        if currency in self.pending:
            return await asyncio.shield(self.pending[currency])  # <- waits for the owner
        future = self.pending[currency] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.sleep(2)
        except OSError as error:
            future.set_exception(error)
            raise
        future.set_result(1.1)
        return 1.1


async def main() -> None:
    rates = Rates()
    first = asyncio.create_task(rates.get("EUR"), name="first")
    await asyncio.sleep(0.2)
    first.cancel()
    async with asyncio.TaskGroup() as group:
        group.create_task(rates.get("EUR"), name="second")
        await asyncio.sleep(2)
        group.create_task(rates.get("EUR"), name="third")


asyncio.run(main())
