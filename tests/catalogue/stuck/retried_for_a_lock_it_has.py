# SPDX-License-Identifier: Apache-2.0
"""A transfer has the account's lock; `book()`, which it calls, tries for that lock with a timeout, again and again."""

import asyncio


class Account:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def book(self, amount: int) -> None:
        await asyncio.wait_for(self.lock.acquire(), 4)  # <- book takes the lock
        try:
            print(amount)
        finally:
            self.lock.release()

    async def transfer(self, amount: int) -> None:
        async with self.lock:  # <- transfer takes the lock
            while True:
                try:
                    return await self.book(-amount)
                except TimeoutError:
                    print("busy")


asyncio.run(Account().transfer(5))
