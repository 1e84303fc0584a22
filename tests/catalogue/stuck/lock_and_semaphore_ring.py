# SPDX-License-Identifier: Apache-2.0
"""One task holds the only permit and wants the lock, the other holds the lock and wants a permit."""

import asyncio

uploads = asyncio.Semaphore(1)
manifest = asyncio.Lock()


async def upload() -> None:
    async with uploads:  # <- upload takes permit
        await asyncio.sleep(0.05)
        async with manifest:  # <- upload waits for manifest
            print("uploaded")


async def publish() -> None:
    async with manifest:  # <- publish takes manifest
        await asyncio.sleep(0.05)
        async with uploads:  # <- publish waits for permit
            print("published")


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(upload(), name="upload")
        group.create_task(publish(), name="publish")


asyncio.run(main())
