# SPDX-License-Identifier: Apache-2.0
"""Every thread of the pool waits for a batch to be full, and the job that would fill it is in the queue behind them."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

full = threading.Event()


def collect() -> None:
    full.wait()


async def main() -> None:
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(3, "collector")
    batch = [loop.run_in_executor(pool, collect) for _ in range(3)]
    await asyncio.sleep(0.1)
    await asyncio.create_task(finish(loop, pool), name="finish")
    await asyncio.gather(*batch)


async def finish(loop: asyncio.AbstractEventLoop, pool: ThreadPoolExecutor) -> None:
    await loop.run_in_executor(pool, full.set)  # <- waits for a worker


asyncio.run(main())
