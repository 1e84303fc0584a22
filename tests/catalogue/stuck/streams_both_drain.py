# SPDX-License-Identifier: Apache-2.0
"""Two peers send a big batch each before either reads: both are in `drain()`."""

import asyncio


async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for _ in range(100):
        writer.write(bytes(1_000_000))
        await writer.drain()  # <- both write
    await reader.read()


accepted: list[asyncio.Task[None]] = []


def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()  # a little later, so that always the same one has waited longest
    loop.call_later(0.5, lambda: accepted.append(asyncio.create_task(peer(reader, writer), name="right")))


async def main() -> None:
    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    left = asyncio.create_task(peer(reader, writer), name="left")
    del reader, writer
    await left


asyncio.run(main())
