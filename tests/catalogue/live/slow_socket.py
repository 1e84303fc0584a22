# SPDX-License-Identifier: Apache-2.0
"""A client waits for a server that takes its time to answer."""

import asyncio


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    await asyncio.sleep(60)
    writer.write(b"done\n")
    await writer.drain()
    writer.close()


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"compute\n")
    await writer.drain()
    line = await reader.readline()
    writer.close()
    return line


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        await asyncio.gather(*(asyncio.create_task(ask(port), name=f"ask-{n}") for n in range(5)))


asyncio.run(main())
