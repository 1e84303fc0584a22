# SPDX-License-Identifier: Apache-2.0
"""aio-libs/aiohttp#9670: after timeouts, a freed connection wakes a waiter that is gone, and never the next one.

A connector with a limit keeps futures of those who wait; the release sets the first one that is not done, and a waiter
that was cancelled just then does not pass the wake-up on.
"""

import asyncio
from collections import deque


class Connector:
    def __init__(self, limit: int) -> None:
        self.available = limit
        self.waiters: deque[asyncio.Future[None]] = deque()
        self.timed_out = False

    async def connect(self, seconds: float) -> None:
        if self.available <= 0:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiters.append(waiting)
            await waiting  # <- waits for a connection
        self.available -= 1
        await asyncio.sleep(seconds)
        self.available += 1
        if self.waiters:
            waiter = self.waiters.popleft()
            if not self.timed_out:  # else its wake-up is lost
                waiter.set_result(None)


async def get(connector: Connector, seconds: float) -> None:
    await connector.connect(seconds)


async def main() -> None:
    connector = Connector(1)
    for _ in range(12):
        await asyncio.gather(get(connector, 0.2), get(connector, 0.1))
    connector.timed_out = True
    busy = asyncio.create_task(get(connector, 0.3), name="slow")
    await asyncio.sleep(0)
    late = asyncio.create_task(get(connector, 0.1), name="late")
    await asyncio.wait([busy, late])


asyncio.run(main())
