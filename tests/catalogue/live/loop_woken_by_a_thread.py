# SPDX-License-Identifier: Apache-2.0
"""A thread feeds an asyncio queue every two seconds by `call_soon_threadsafe`; the loop sleeps in between."""

import asyncio
import threading
import time


def feed(loop: asyncio.AbstractEventLoop, jobs: "asyncio.Queue[int]") -> None:
    number = 0
    while True:
        time.sleep(2)
        loop.call_soon_threadsafe(jobs.put_nowait, number)
        number += 1


async def main() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    threading.Thread(target=feed, args=(asyncio.get_running_loop(), jobs), name="feed", daemon=True).start()
    while True:
        await jobs.get()


asyncio.run(main())
