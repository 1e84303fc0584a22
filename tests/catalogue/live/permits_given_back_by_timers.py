# SPDX-License-Identifier: Apache-2.0
"""Two tasks each take a permit of two limits by `acquire()`, in opposite orders: timers give them back."""

import asyncio

PERIOD_S = 3


async def main() -> None:
    loop = asyncio.get_running_loop()
    minute, hour = asyncio.BoundedSemaphore(1), asyncio.BoundedSemaphore(1)

    def give_back(limit: asyncio.BoundedSemaphore) -> None:
        if limit.locked():
            limit.release()

    async def ask(first: asyncio.BoundedSemaphore, second: asyncio.BoundedSemaphore) -> None:
        while True:
            for limit in (first, second):
                await limit.acquire()
                loop.call_later(PERIOD_S, give_back, limit)
                await asyncio.sleep(0.1)

    await asyncio.gather(ask(minute, hour), ask(hour, minute))


asyncio.run(main())
