# SPDX-License-Identifier: Apache-2.0
"""Ten thousand sessions are idle and healthy; three of them wait for each other."""

import asyncio

profile = asyncio.Lock()
basket = asyncio.Lock()
coupon = asyncio.Lock()


async def session() -> None:
    while True:
        await asyncio.sleep(30)


async def change(first: asyncio.Lock, second: asyncio.Lock) -> None:
    async with first:  # <- takes first
        await asyncio.sleep(0.3)
        async with second:  # <- waits for second
            print("changed")


async def main() -> None:
    sessions = [asyncio.create_task(session(), name=f"session-{number}") for number in range(10_000)]
    changes = [
        asyncio.create_task(change(profile, basket), name="change-profile"),
        asyncio.create_task(change(basket, coupon), name="change-basket"),
        asyncio.create_task(change(coupon, profile), name="change-coupon"),
    ]
    await asyncio.gather(*changes, *sessions)


asyncio.run(main())
