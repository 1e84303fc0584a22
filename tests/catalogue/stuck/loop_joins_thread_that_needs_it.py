# SPDX-License-Identifier: Apache-2.0
"""The loop's thread joins a worker thread, and that thread waits for a coroutine on the loop."""

import asyncio
import threading


async def save(row: str) -> None:
    print("saved", row)


def export(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.run_coroutine_threadsafe(save("total"), loop).result()  # <- exporter waits for save


async def close() -> None:
    worker = threading.Thread(target=export, args=(asyncio.get_running_loop(),), name="exporter")
    worker.start()
    worker.join()  # <- loop joins exporter


async def main() -> None:
    await asyncio.create_task(close(), name="close")


asyncio.run(main())
