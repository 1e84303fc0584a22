# SPDX-License-Identifier: Apache-2.0
"""Tornado: two locks in opposite order, one task by `async with`, the other by what `acquire()` gives."""

import asyncio

from tornado.locks import Lock


class Ledger:
    def __init__(self) -> None:
        self.accounts = Lock()
        self.journal = Lock()

    async def book(self) -> None:
        async with self.accounts:  # <- book takes accounts
            await asyncio.sleep(0.05)
            async with self.journal:  # <- book waits for journal
                print("booked")

    async def audit(self) -> None:
        with await self.journal.acquire():  # <- audit takes journal
            await asyncio.sleep(0.05)
            with await self.accounts.acquire():  # <- audit waits for accounts
                print("audited")


async def main() -> None:
    ledger = Ledger()
    async with asyncio.TaskGroup() as group:
        group.create_task(ledger.book(), name="book")
        group.create_task(ledger.audit(), name="audit")


asyncio.run(main())
