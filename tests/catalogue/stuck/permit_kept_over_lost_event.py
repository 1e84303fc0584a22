# SPDX-License-Identifier: Apache-2.0
"""The only upload slot is with a task that waits for a confirmation that never comes; the others queue up behind it."""

import asyncio

slots = asyncio.Semaphore(1)
confirmed = asyncio.Event()


async def upload(name: str) -> None:
    async with slots:  # <- takes slot
        await confirmed.wait()  # <- waits for confirmation


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        for name in ("video", "thumbnail", "subtitles"):
            group.create_task(upload(name), name=name)


asyncio.run(main())
