# SPDX-License-Identifier: Apache-2.0
"""A price is computed in the event loop and does not end: a loop that never yields."""

import asyncio
import itertools


async def serve() -> None:
    while True:
        await asyncio.sleep(0.05)


def converge(start: float) -> float:
    return next(price for price in itertools.count(start, 3) if price % 7 == 0.3)  # <- computes


async def quote() -> None:
    await asyncio.sleep(0.2)
    print(converge(0.5))


async def main() -> None:
    await asyncio.gather(asyncio.create_task(serve(), name="serve"), asyncio.create_task(quote(), name="quote"))


asyncio.run(main())
