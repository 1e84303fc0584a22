# SPDX-License-Identifier: Apache-2.0
"""django/asgiref#249: sync code in the one thread-sensitive thread waits for async code that needs that thread.

`sync_to_async(view)` occupies the only worker; the view blocks on a coroutine in the loop; that coroutine starts a
task which calls `sync_to_async` again, and its job is queued behind the view.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

sensitive = ThreadPoolExecutor(1, "sensitive")


async def sync_to_async(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(sensitive, function, *arguments)  # <- needs the thread


def db_write() -> None:
    print("written")


async def save() -> None:
    await asyncio.create_task(sync_to_async(db_write), name="db-write")  # <- save awaits db-write


def view(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.run_coroutine_threadsafe(save(), loop).result()  # <- view blocks


async def main() -> None:
    loop = asyncio.get_running_loop()
    await asyncio.create_task(sync_to_async(view, loop), name="request")


asyncio.run(main())
