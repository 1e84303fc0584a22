# SPDX-License-Identifier: Apache-2.0
"""A function takes the lock that it holds a second time, some lines further down."""

import asyncio


async def transfer(ledger: asyncio.Lock, entries: list[str]) -> None:
    async with ledger:  # <- takes
        entries.append("debit")
        async with ledger:  # <- waits
            entries.append("credit")


async def main() -> None:
    ledger = asyncio.Lock()
    await asyncio.create_task(transfer(ledger, []), name="bookkeeper")


asyncio.run(main())
