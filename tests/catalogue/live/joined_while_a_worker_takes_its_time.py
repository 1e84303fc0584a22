# SPDX-License-Identifier: Apache-2.0
"""A service that stops waits until its workers have finished what is in their queues: one takes 12 s for an item, one
needs a timer that begins it anew for each."""

import asyncio

slow: asyncio.Queue[int] = asyncio.Queue()
timed: asyncio.Queue[int] = asyncio.Queue()


async def work() -> None:
    while True:
        await slow.get()
        await asyncio.sleep(12)
        slow.task_done()


def take_one() -> None:
    timed.get_nowait()
    timed.task_done()
    asyncio.get_running_loop().call_later(10, take_one)


async def main() -> None:
    worker = asyncio.create_task(work(), name="worker")
    take_one_later = asyncio.get_running_loop().call_later
    for number in range(100):
        slow.put_nowait(number)
        timed.put_nowait(number)
    take_one_later(1, take_one)
    await asyncio.gather(slow.join(), timed.join())
    worker.cancel()


asyncio.run(main())
