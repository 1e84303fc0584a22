# SPDX-License-Identifier: Apache-2.0
"""A task raises between `acquire()` and `release()`; nobody gets the lock again."""

import asyncio

ledger = asyncio.Lock()


async def book(amount: int) -> None:
    await ledger.acquire()
    await asyncio.sleep(0.3)
    if amount < 0:
        raise ValueError(amount)  # <- book dies
    ledger.release()


async def total() -> None:
    async with ledger:  # <- total waits
        print("total")


async def main() -> None:
    booking = asyncio.create_task(book(-1), name="book")
    await asyncio.sleep(0.6)
    await asyncio.create_task(total(), name="total")
    await booking


asyncio.run(main())
