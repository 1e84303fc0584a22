# SPDX-License-Identifier: Apache-2.0
"""Two transfers between the same two accounts lock them in opposite order."""

import asyncio


class Account:
    def __init__(self, lock: asyncio.Lock, balance: int) -> None:
        self.lock = lock
        self.balance = balance


async def transfer(source: Account, target: Account, amount: int) -> None:
    async with source.lock:  # <- takes source
        await asyncio.sleep(0.05)  # check the credit line
        async with target.lock:  # <- waits for target
            source.balance -= amount
            target.balance += amount


async def main() -> None:
    savings = asyncio.Lock()
    checking = asyncio.Lock()
    a, b = Account(savings, 100), Account(checking, 100)
    async with asyncio.TaskGroup() as group:
        group.create_task(transfer(a, b, 10), name="rent")
        group.create_task(transfer(b, a, 20), name="refund")


asyncio.run(main())
