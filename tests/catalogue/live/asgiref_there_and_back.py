# SPDX-License-Identifier: Apache-2.0
"""asgiref: synchronous views call asynchronous code that calls synchronous code, in the view's own thread."""

import asyncio
import time

from asgiref.sync import async_to_sync, sync_to_async


def query() -> None:
    time.sleep(0.05)


async def load() -> None:
    await sync_to_async(query)()
    await asyncio.sleep(0.05)


def view() -> None:
    async_to_sync(load)()


async def requests() -> None:
    while True:
        await sync_to_async(view)()


async def main() -> None:
    await asyncio.gather(requests(), requests(), requests())


asyncio.run(main())
