# SPDX-License-Identifier: Apache-2.0
"""A writer that is mostly in `drain()`, for its peer reads slowly; and a child whose output is read slowly."""

import asyncio
import sys


async def slowly(reader: asyncio.StreamReader, size: int) -> None:
    while await reader.read(size):
        await asyncio.sleep(0.5)


async def write(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes(1_000_000))
        await writer.drain()


async def child() -> None:
    program = "while True: print('x' * 10_000)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await asyncio.gather(slowly(process.stdout, 10_000), process.wait())


async def main() -> None:
    server = await asyncio.start_server(lambda reader, _: slowly(reader, 10_000), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await asyncio.gather(write(writer), child())


asyncio.run(main())
