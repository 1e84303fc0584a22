# SPDX-License-Identifier: Apache-2.0
"""aio-libs/aiocache#196: a get that times out does not give its connection back, until the pool is empty.

The connection is taken by hand and released only after the answer: a timeout in between loses it.
"""

import asyncio


class Pool:
    def __init__(self, size: int) -> None:
        self.permits = asyncio.Semaphore(size)

    async def get(self, key: str, seconds: float) -> str:
        await self.permits.acquire()  # <- waits for permit
        await asyncio.sleep(seconds)
        self.permits.release()
        return key


async def request(pool: Pool, seconds: float) -> None:
    try:
        await asyncio.wait_for(pool.get("user", seconds), 0.2)
    except TimeoutError:
        print("timed out")


async def patient(pool: Pool) -> None:
    print(await pool.get("user", 0.01))


async def main() -> None:
    pool = Pool(2)
    for seconds in (0.01, 5, 0.01, 5):
        await asyncio.create_task(request(pool, seconds), name="request")
    await asyncio.create_task(patient(pool), name="patient")


asyncio.run(main())
