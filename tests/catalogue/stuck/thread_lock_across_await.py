# SPDX-License-Identifier: Apache-2.0
"""A `threading.Lock` is held across an `await`; the next task takes it on the same thread and blocks the loop."""

import asyncio
import threading

cache_lock = threading.Lock()
cache: dict[str, str] = {}


async def fill(key: str) -> None:
    with cache_lock:  # <- fill takes lock
        await asyncio.sleep(0.1)  # <- fill sleeps
        cache[key] = "value"


async def lookup(key: str) -> str | None:
    with cache_lock:  # <- lookup blocks the loop
        return cache.get(key)


async def main() -> None:
    await asyncio.gather(asyncio.create_task(fill("a"), name="fill"), asyncio.create_task(lookup("a"), name="lookup"))


asyncio.run(main())
