# SPDX-License-Identifier: Apache-2.0
"""fastapi/fastapi#3205: every pool thread waits for a database session, and giving one back needs a pool thread.

Threaded endpoints with a `yield` dependency: the session is taken in one job of the thread pool and given back in a
later one. With more requests than sessions and threads, the jobs that would give one back stay in the queue.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

threads = ThreadPoolExecutor(1, "endpoint")
sessions = threading.BoundedSemaphore(1)


def open_session() -> None:
    sessions.acquire()  # <- thread waits for session


def close_session() -> None:
    sessions.release()


async def request(arrives: float) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(arrives)
    await loop.run_in_executor(threads, open_session)
    await asyncio.sleep(0.3)
    await loop.run_in_executor(threads, close_session)  # <- waits for a thread


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(2):
            group.create_task(request(0.1 * number), name=f"request-{number}")


asyncio.run(main())
