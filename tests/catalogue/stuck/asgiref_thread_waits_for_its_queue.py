# SPDX-License-Identifier: Apache-2.0
"""asgiref: the one thread for synchronous code waits for a coroutine that waits for a task of the loop, which has sent
synchronous code to that thread."""

import asyncio

from asgiref.sync import async_to_sync, sync_to_async

audited: asyncio.Event


def view() -> None:
    async_to_sync(save)()  # <- view blocks


async def save() -> None:
    await audited.wait()  # <- save waits


def write() -> None:
    print("written")


async def audit() -> None:
    await sync_to_async(write)()  # <- needs the thread
    audited.set()


async def main() -> None:
    global audited
    audited = asyncio.Event()
    request = asyncio.create_task(sync_to_async(view)(), name="request")
    await asyncio.sleep(0.2)
    audits = asyncio.create_task(audit(), name="audit")
    await request
    await audits


asyncio.run(main())
