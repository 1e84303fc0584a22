# SPDX-License-Identifier: Apache-2.0
"""PrefectHQ/prefect#7897: two event loops in two threads wait for each other.

The main loop blocks on the worker's thread; the worker's event is set by a call into the main loop, and waits for it.
"""

import asyncio
import threading


async def notify() -> None:
    print("set")


def run_worker(main_loop: asyncio.AbstractEventLoop) -> None:
    async def work() -> None:
        await asyncio.sleep(0.1)
        asyncio.run_coroutine_threadsafe(notify(), main_loop).result()  # <- worker waits for notify

    asyncio.run(work())


async def flow() -> None:
    worker = threading.Thread(target=run_worker, args=(asyncio.get_running_loop(),), name="worker-loop")
    worker.start()
    worker.join()  # <- main joins worker


async def main() -> None:
    await asyncio.create_task(flow(), name="flow")


asyncio.run(main())
