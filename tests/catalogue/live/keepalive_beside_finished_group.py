# SPDX-License-Identifier: Apache-2.0
"""The work is done, the group has ended, and only the keep-alive tasks go on."""

import asyncio


async def work(number: int) -> int:
    await asyncio.sleep(0.01 * number)
    return number


async def ping() -> None:
    while True:
        await asyncio.sleep(0.5)


async def main() -> None:
    pings = [asyncio.create_task(ping(), name=f"ping-{number}") for number in range(4)]
    async with asyncio.TaskGroup() as group:
        results = [group.create_task(work(number), name=f"work-{number}") for number in range(20)]
    print(sum(task.result() for task in results))
    await asyncio.wait(pings)


asyncio.run(main())
