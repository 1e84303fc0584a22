# SPDX-License-Identifier: Apache-2.0
"""Tornado: a queue that is full most of the time, one that is empty, one whose items are waited for."""

import asyncio
import datetime

from tornado.queues import PriorityQueue, Queue

pages: "Queue[int]" = Queue(maxsize=2)


async def crawl() -> None:
    number = 0
    while True:
        await pages.put(number)
        number += 1


async def index(found: "Queue[str]") -> None:
    async for page in pages:
        await asyncio.sleep(0.2)
        await found.put(f"page {page}")
        await found.join()
        pages.task_done()


async def store(found: "Queue[str]") -> None:
    while (page := await found.get()) != "end":
        print(page)
        found.task_done()


async def asks_again(urgent: "Queue[int]") -> None:
    while True:
        try:
            print(await urgent.get(timeout=datetime.timedelta(seconds=0.5)))
        except TimeoutError:
            continue


async def main() -> None:
    found: Queue[str] = PriorityQueue()
    async with asyncio.TaskGroup() as group:
        group.create_task(crawl(), name="crawl")
        group.create_task(index(found), name="index")
        group.create_task(store(found), name="store")
        group.create_task(asks_again(PriorityQueue()), name="urgent")


asyncio.run(main())
