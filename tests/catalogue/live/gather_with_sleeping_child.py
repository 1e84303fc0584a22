# SPDX-License-Identifier: Apache-2.0
"""A report gathers a hundred queries; one of them takes a minute, and all the others are done."""

import asyncio


async def query(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


async def report() -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(query(0.01))
        await asyncio.gather(*(query(0.01) for _ in range(99)), query(60))


async def main() -> None:
    await asyncio.create_task(report(), name="report")


asyncio.run(main())
