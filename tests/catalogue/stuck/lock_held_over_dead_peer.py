# SPDX-License-Identifier: Apache-2.0
"""The connection's lock is held while the answer is read, and the peer never answers."""

import asyncio

wire = asyncio.Lock()


async def silent_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def command(port: int, name: str) -> bytes:
    async with wire:  # <- takes wire
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(name.encode() + b"\n")
        return await reader.readline()


async def main() -> None:
    server = await asyncio.start_server(silent_server, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.TaskGroup() as group:
        group.create_task(command(port, "get"), name="get")
        await asyncio.sleep(0.1)
        group.create_task(command(port, "set"), name="set")


asyncio.run(main())
