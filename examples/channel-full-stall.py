# SPDX-License-Identifier: Apache-2.0
"""A producer fills a bounded queue that is drained only after the producer has ended.

`work_queue` takes 16 items. `producer` wants to put 100, so its 17th `put` waits for room. Room could only be made by
`main`, which takes items too, but first awaits the end of `producer`. Each waits for the other.
"""

import asyncio


async def produce(work_queue: asyncio.Queue[int]) -> None:
    for item in range(100):
        await work_queue.put(item)


async def main() -> None:
    work_queue: asyncio.Queue[int] = asyncio.Queue(maxsize=16)
    print("channel-full-stall: the 17th put never returns", flush=True)
    producer = asyncio.create_task(produce(work_queue), name="producer")
    await producer  # should come after the loop below, or the loop should run in a task of its own
    while not work_queue.empty():
        print("worked on", await work_queue.get())


asyncio.run(main())
