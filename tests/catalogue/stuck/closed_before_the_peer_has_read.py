# SPDX-License-Identifier: Apache-2.0
"""A connection is closed with much still to send, and awaited: the peer reads only once that is over."""

import asyncio


async def answer(closed: asyncio.Event, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await closed.wait()
    writer.close()


async def main() -> None:
    closed = asyncio.Event()
    server = await asyncio.start_server(lambda reader, writer: answer(closed, reader, writer), "127.0.0.1", 0)
    _reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(bytes(50_000_000))
    writer.close()
    await writer.wait_closed()  # <- main waits until it is closed
    closed.set()


asyncio.run(main())
