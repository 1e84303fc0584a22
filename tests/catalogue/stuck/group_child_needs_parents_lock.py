# SPDX-License-Identifier: Apache-2.0
"""A task group inside the lock: its only child needs that lock, and the group waits for its child."""

import asyncio

inventory = asyncio.Lock()


async def reserve(item: str) -> None:
    async with inventory:  # <- reserve waits
        print("reserved", item)


async def check_out() -> None:
    async with inventory, asyncio.TaskGroup() as group:  # <- check-out takes inventory, check-out awaits group
        group.create_task(reserve("lamp"), name="reserve-lamp")


async def main() -> None:
    await asyncio.create_task(check_out(), name="check-out")


asyncio.run(main())
