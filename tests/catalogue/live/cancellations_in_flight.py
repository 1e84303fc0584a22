# SPDX-License-Identifier: Apache-2.0
"""Tasks are cancelled all the time, some while they wait for a lock, some while they clean up."""

import asyncio
import random

shelf = asyncio.Lock()


async def fetch() -> None:
    try:
        async with shelf:
            await asyncio.sleep(random.uniform(0, 0.05))
    except asyncio.CancelledError:
        await asyncio.sleep(0.02)  # close the connection
        raise


async def main() -> None:
    random.seed(4)
    while True:
        tasks = [asyncio.create_task(fetch(), name=f"fetch-{number}") for number in range(20)]
        await asyncio.sleep(0.06)
        for task in random.sample(tasks, 12):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


asyncio.run(main())
