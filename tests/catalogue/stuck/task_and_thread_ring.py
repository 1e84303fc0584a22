# SPDX-License-Identifier: Apache-2.0
"""A task holds the lock and awaits a thread, which asks the loop for something that takes the lock."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

journal = asyncio.Lock()
pool = ThreadPoolExecutor(1, "zip")


async def append(line: str) -> None:
    async with journal:  # <- append waits for journal
        print(line)


def compress(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.run_coroutine_threadsafe(append("compressed"), loop).result()  # <- thread waits for append


async def rotate() -> None:
    async with journal:  # <- rotate takes journal
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(pool, compress, loop)  # <- rotate awaits thread


async def main() -> None:
    await asyncio.create_task(rotate(), name="rotate")


asyncio.run(main())
