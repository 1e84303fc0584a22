# SPDX-License-Identifier: Apache-2.0
"""A buffer whose writer notifies its condition only on the fast path; after a while the reader is not told."""

import asyncio


class Buffer:
    def __init__(self) -> None:
        self.filled = asyncio.Condition()
        self.items: list[int] = []

    async def write(self, item: int) -> None:
        if item >= 20:
            self.items.append(item)  # slow path: nobody is notified
            return
        async with self.filled:
            self.items.append(item)
            self.filled.notify()

    async def read(self) -> int:
        async with self.filled:
            while not self.items:
                await self.filled.wait()  # <- waits
            return self.items.pop()


async def write_all(buffer: Buffer) -> None:
    for item in range(100):
        await asyncio.sleep(0.15)
        await buffer.write(item)


async def read_all(buffer: Buffer) -> None:
    while True:
        print(await buffer.read())


async def main() -> None:
    buffer = Buffer()
    writer = asyncio.create_task(write_all(buffer), name="writer")
    reader = asyncio.create_task(read_all(buffer), name="reader")
    await asyncio.gather(writer, reader)


asyncio.run(main())
