# SPDX-License-Identifier: Apache-2.0
"""A coroutine has the first order taken from a queue by a thread of the pool, and puts it there once that is done."""

import asyncio
import queue
from concurrent.futures import ThreadPoolExecutor


async def main() -> None:
    orders: queue.Queue[str] = queue.Queue()
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(2, "io")
    first = await loop.run_in_executor(pool, orders.get)  # <- waits for the thread
    orders.put("order 1")
    print(first)


asyncio.run(main())
