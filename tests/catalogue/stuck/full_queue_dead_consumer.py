# SPDX-License-Identifier: Apache-2.0
"""The consumer died of an exception that nobody saw; the producer fills the queue and then waits for room."""

import asyncio

lines: asyncio.Queue[str] = asyncio.Queue(maxsize=8)


async def parse() -> None:
    while True:
        line = await lines.get()
        int(line)  # <- parser dies


async def read() -> None:
    for line in ["name", *map(str, range(100))]:
        await lines.put(line)  # <- reader waits for room
    print("read")


async def main() -> None:
    parser = asyncio.create_task(parse(), name="parser")
    await asyncio.create_task(read(), name="reader")
    await parser


asyncio.run(main())
