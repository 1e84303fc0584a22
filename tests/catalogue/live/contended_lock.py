# SPDX-License-Identifier: Apache-2.0
"""Fifty tasks fight for one lock; each gets it for two milliseconds."""

import asyncio

counter = asyncio.Lock()


async def count() -> None:
    while True:
        async with counter:
            await asyncio.sleep(0.002)


async def main() -> None:
    await asyncio.gather(*(asyncio.create_task(count(), name=f"count-{n}") for n in range(50)))


asyncio.run(main())
