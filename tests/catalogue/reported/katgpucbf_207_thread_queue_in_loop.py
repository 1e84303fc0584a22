# SPDX-License-Identifier: Apache-2.0
"""ska-sa/katgpucbf#207: a coroutine takes from a `queue.Queue`, whose only producer is a task of the same loop."""

import asyncio
import queue

heaps: queue.Queue[int] = queue.Queue()


async def free() -> None:
    for number in range(1000):
        await asyncio.sleep(0.05)
        heaps.put(number)


async def send() -> None:
    while True:
        heap = heaps.get()  # <- blocks the loop
        print("sent", heap)


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(free(), name="free")
        group.create_task(send(), name="send")


asyncio.run(main())
