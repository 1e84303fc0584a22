# SPDX-License-Identifier: Apache-2.0
"""python/cpython#122938 and many others: a thread sets an asyncio.Event, and nobody wakes the loop.

The event is set and its waiter is ready to run, but the loop sleeps until something else happens to it: only
`call_soon_threadsafe` wakes it.
"""

import asyncio
import threading
import time


def worker(done: asyncio.Event) -> None:
    time.sleep(0.5)
    done.set()


async def main() -> None:
    done = asyncio.Event()
    threading.Thread(target=worker, args=(done,), name="worker").start()
    await done.wait()


asyncio.run(main())
