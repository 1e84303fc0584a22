# SPDX-License-Identifier: Apache-2.0
"""`asyncio.wait` for the first of three: two are in a ring with the waiter, the third is asleep and will end."""

import asyncio

budget = asyncio.Lock()


async def spend(amount: int) -> int:
    async with budget:
        return amount


async def fall_back() -> int:
    await asyncio.sleep(120)
    return 0


async def plan() -> None:
    async with budget:
        offers = [
            asyncio.create_task(spend(10), name="offer-a"),
            asyncio.create_task(spend(20), name="offer-b"),
            asyncio.create_task(fall_back(), name="fall-back"),
        ]
        done, pending = await asyncio.wait(offers, return_when=asyncio.FIRST_COMPLETED)
        print(len(done), len(pending))


async def main() -> None:
    await asyncio.create_task(plan(), name="plan")


asyncio.run(main())
