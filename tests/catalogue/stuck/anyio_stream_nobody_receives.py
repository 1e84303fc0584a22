# SPDX-License-Identifier: Apache-2.0
"""AnyIO: the sender fills the memory stream; the receiver that had to empty it awaits the sender's group first."""

import anyio
from anyio.streams.memory import MemoryObjectSendStream


async def crawl(pages: MemoryObjectSendStream[int]) -> None:
    async with pages:
        for page in range(100):
            await pages.send(page)  # <- crawler sends


async def main() -> None:
    pages, found = anyio.create_memory_object_stream[int](4)
    async with anyio.create_task_group() as group:  # <- main awaits group
        group.start_soon(crawl, pages, name="crawler")
    async with found:
        async for page in found:
            print(page)


anyio.run(main)
