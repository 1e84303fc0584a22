# SPDX-License-Identifier: Apache-2.0
"""A method that holds the lock calls another method that takes it too."""

import asyncio


class Ledger:
    def __init__(self) -> None:
        self.guard = asyncio.Lock()
        self.entries: list[str] = []

    async def append(self, entry: str) -> None:
        async with self.guard:  # <- waits
            self.entries.append(entry)

    async def append_all(self, entries: list[str]) -> None:
        async with self.guard:  # <- takes
            for entry in entries:
                await self.append(entry)


async def main() -> None:
    ledger = Ledger()
    await asyncio.create_task(ledger.append_all(["opening", "closing"]), name="bookkeeper")


asyncio.run(main())
