# SPDX-License-Identifier: Apache-2.0
"""Tornado: pages are put into a queue of two until it is full; the task that took from it has died of one of them."""

import asyncio

from tornado.queues import Queue


async def index(pages: "Queue[int]") -> None:
    async for page in pages:
        print(100 // (3 - page))  # <- index died
        pages.task_done()


async def crawl(pages: "Queue[int]") -> None:
    for page in range(100):
        await pages.put(page)  # <- crawl puts


async def main() -> None:
    pages: Queue[int] = Queue(maxsize=2)
    indexing = asyncio.create_task(index(pages), name="index")
    await crawl(pages)
    await indexing


asyncio.run(main())
