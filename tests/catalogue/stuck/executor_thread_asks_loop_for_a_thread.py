# SPDX-License-Identifier: Apache-2.0
"""Every thread of an executor asks the loop for a coroutine, which needs a thread of that executor."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor


def read_file() -> str:
    return "contents"


async def load(pool: ThreadPoolExecutor) -> str:
    return await asyncio.get_running_loop().run_in_executor(pool, read_file)  # <- loads


def render(pool: ThreadPoolExecutor, loop: asyncio.AbstractEventLoop, both: threading.Barrier) -> str:
    both.wait()
    return asyncio.run_coroutine_threadsafe(load(pool), loop).result()  # <- renders


async def main() -> None:
    loop = asyncio.get_running_loop()
    both = threading.Barrier(2)
    pool = ThreadPoolExecutor(2, "render")
    pages = [loop.run_in_executor(pool, render, pool, loop, both) for _ in range(2)]
    await asyncio.gather(*pages)


asyncio.run(main())
