# SPDX-License-Identifier: Apache-2.0
"""Delgan/loguru#906: `complete()` awaits the pending messages under the lock that the tasks of these messages take."""

import asyncio
import threading


class Sink:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tasks: set[asyncio.Task[None]] = set()

    async def write(self, message: str) -> None:
        await asyncio.sleep(0.05)
        with self.lock:  # <- write blocks the loop
            print(message)

    async def complete(self) -> None:
        with self.lock:  # <- complete takes lock
            await asyncio.gather(*self.tasks)  # <- complete awaits write


async def main() -> None:
    sink = Sink()
    sink.tasks.add(asyncio.create_task(sink.write("hello"), name="write"))
    await asyncio.create_task(sink.complete(), name="complete")


asyncio.run(main())
