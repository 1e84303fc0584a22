# SPDX-License-Identifier: Apache-2.0
"""Two tasks in each other's way, but each gives up after ten seconds: bounded, so no deadlock."""

import asyncio

left = asyncio.Lock()
right = asyncio.Lock()


async def swap(first: asyncio.Lock, second: asyncio.Lock) -> None:
    async with first:
        await asyncio.sleep(0.05)
        try:
            await asyncio.wait_for(second.acquire(), 10)
        except TimeoutError:
            return
        second.release()


async def patient(lock: asyncio.Lock) -> None:
    async with asyncio.timeout(20), lock:
        print("got it")


async def main() -> None:
    await asyncio.gather(
        asyncio.create_task(swap(left, right), name="left-to-right"),
        asyncio.create_task(swap(right, left), name="right-to-left"),
        asyncio.create_task(patient(left), name="patient"),
    )


asyncio.run(main())
