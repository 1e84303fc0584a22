# SPDX-License-Identifier: Apache-2.0
"""AnyIO: a task group inside a lock, and its child needs that lock."""

import anyio


async def index(lock: anyio.Lock) -> None:
    async with lock:  # <- indexer waits
        print("indexed")


async def save(lock: anyio.Lock) -> None:
    async with lock, anyio.create_task_group() as group:  # <- saver takes lock, saver awaits group
        group.start_soon(index, lock, name="indexer")


async def main() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(save, anyio.Lock(), name="saver")


anyio.run(main)
