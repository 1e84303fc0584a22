# SPDX-License-Identifier: Apache-2.0
"""Many tasks share a lock that each holds over a call in a thread: they wait, but everybody's turn comes."""

import asyncio
import time


async def upload(lock: asyncio.Lock) -> None:
    while True:
        async with lock:
            await asyncio.to_thread(time.sleep, 0.1)


async def main() -> None:
    lock = asyncio.Lock()
    await asyncio.gather(*(upload(lock) for _ in range(5)))


asyncio.run(main())
