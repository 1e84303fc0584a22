# SPDX-License-Identifier: Apache-2.0
"""`await asyncio.Future()  # run forever`, as servers do: the main task is not stuck."""

import asyncio


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()


async def tick() -> None:
    while True:
        await asyncio.sleep(0.5)


async def main() -> None:
    ticking = asyncio.create_task(tick(), name="tick")
    async with await asyncio.start_server(echo, "127.0.0.1", 0):
        await asyncio.Future()  # run forever
    ticking.cancel()


asyncio.run(main())
