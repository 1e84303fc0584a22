# SPDX-License-Identifier: Apache-2.0
"""A reader has the only thread of the default executor and waits for an item; who would put one is queued behind it."""

import asyncio
import queue
from concurrent.futures import ThreadPoolExecutor

ITEMS: "queue.Queue[str]" = queue.Queue()


def read() -> str:
    return ITEMS.get()  # <- the reader waits


def write(item: str) -> None:
    ITEMS.put(item)


async def main() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1, "io"))
    reader = asyncio.create_task(asyncio.to_thread(read), name="reader")
    await asyncio.sleep(0.2)
    await asyncio.to_thread(write, "first")  # <- main waits for its turn
    await reader


asyncio.run(main())
