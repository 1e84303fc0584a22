# SPDX-License-Identifier: Apache-2.0
"""The same two locks, taken by everybody in the same order: contention, never a ring."""

import asyncio

stock = asyncio.Lock()
ledger = asyncio.Lock()


async def sell() -> None:
    while True:
        async with stock:
            await asyncio.sleep(0.01)
            async with ledger:
                await asyncio.sleep(0.01)


async def audit() -> None:
    while True:
        async with ledger:
            await asyncio.sleep(0.05)


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(sell(), name=f"sell-{number}")
        group.create_task(audit(), name="audit")


asyncio.run(main())
