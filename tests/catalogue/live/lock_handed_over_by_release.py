# SPDX-License-Identifier: Apache-2.0
"""A bare `acquire()` here, the `release()` in another task: unusual, but it goes on each time."""

import asyncio

turn = asyncio.Lock()
passed = asyncio.Semaphore(0)


async def caller() -> None:
    while True:
        await turn.acquire()
        passed.release()


async def closer() -> None:
    while True:
        await passed.acquire()
        await asyncio.sleep(0.1)
        turn.release()


async def main() -> None:
    await asyncio.gather(asyncio.create_task(caller(), name="caller"), asyncio.create_task(closer(), name="closer"))


asyncio.run(main())
