# SPDX-License-Identifier: Apache-2.0
"""Two tasks take two permits by `acquire()`, in opposite orders; nobody else gives any back."""

import asyncio


async def main() -> None:
    readers, writers = asyncio.BoundedSemaphore(1), asyncio.BoundedSemaphore(1)

    async def copy() -> None:
        await readers.acquire()  # <- copy takes readers
        await asyncio.sleep(0.1)
        await writers.acquire()  # <- copy waits
        writers.release()
        readers.release()

    async def merge() -> None:
        await writers.acquire()  # <- merge takes writers
        await asyncio.sleep(0.1)
        await readers.acquire()  # <- merge waits
        readers.release()
        writers.release()

    await asyncio.gather(asyncio.create_task(copy(), name="copy"), asyncio.create_task(merge(), name="merge"))


asyncio.run(main())
