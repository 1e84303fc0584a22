# SPDX-License-Identifier: Apache-2.0
"""Tornado: tasks take turns at a lock, permits and a condition; one tries for the lock with a timeout and gives up."""

import asyncio

from tornado.locks import BoundedSemaphore, Condition, Event, Lock

lock = Lock()
places = BoundedSemaphore(2)
changed = Condition()
ready = Event()


async def write() -> None:
    while True:
        async with lock:
            await asyncio.sleep(0.2)
        changed.notify_all()


async def read() -> None:
    await ready.wait()
    while True:
        with await places.acquire():
            await changed.wait()
            await asyncio.sleep(0.1)


async def hurry() -> None:
    while True:
        try:
            with await lock.acquire(timeout=0.1):
                print("it was free")
        except TimeoutError:
            await asyncio.sleep(0.3)


async def hold_both() -> None:
    """In the opposite order to nobody's."""
    async with places, lock:
        ready.set()


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(hold_both(), name="first")
        for number in range(3):
            group.create_task(write(), name=f"write-{number}")
            group.create_task(read(), name=f"read-{number}")
        group.create_task(hurry(), name="hurry")


asyncio.run(main())
