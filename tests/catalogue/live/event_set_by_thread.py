# SPDX-License-Identifier: Apache-2.0
"""A thread does the work and tells the loop by `call_soon_threadsafe`; the task waits on an event meanwhile."""

import asyncio
import threading
import time


def scan(loop: asyncio.AbstractEventLoop, finished: asyncio.Event) -> None:
    time.sleep(0.8)
    loop.call_soon_threadsafe(finished.set)


async def main() -> None:
    loop = asyncio.get_running_loop()
    while True:
        finished = asyncio.Event()
        threading.Thread(target=scan, args=(loop, finished), name="scanner").start()
        await finished.wait()


asyncio.run(main())
