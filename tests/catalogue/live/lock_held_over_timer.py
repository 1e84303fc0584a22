# SPDX-License-Identifier: Apache-2.0
"""A rate limiter sleeps while it holds its lock; others queue up and get their turn, one each 300 ms."""

import asyncio

gate = asyncio.Lock()


async def call(name: str) -> None:
    while True:
        async with gate:
            await asyncio.sleep(0.3)


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        for name in ("search", "mail", "sms"):
            group.create_task(call(name), name=name)


asyncio.run(main())
