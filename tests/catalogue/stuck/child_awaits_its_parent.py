# SPDX-License-Identifier: Apache-2.0
"""A child of a task group awaits the task that opened the group."""

import asyncio


async def audit(parent: asyncio.Task[None]) -> None:
    await parent  # <- audit awaits checkout
    print("audited")


async def checkout() -> None:
    parent = asyncio.current_task()
    assert parent is not None
    async with asyncio.TaskGroup() as group:  # <- checkout awaits group
        group.create_task(audit(parent), name="audit")


async def main() -> None:
    await asyncio.create_task(checkout(), name="checkout")


asyncio.run(main())
