# SPDX-License-Identifier: Apache-2.0
"""A client that is to be stopped wants to say goodbye first, and tries for ever to reach a broker that is gone."""

import asyncio
import socket

with socket.socket() as unused:
    unused.bind(("127.0.0.1", 0))
    PORT = unused.getsockname()[1]


async def find_coordinator() -> asyncio.StreamWriter:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", PORT)
            return writer
        except OSError:
            await asyncio.sleep(0.2)


async def stop() -> None:
    writer = await find_coordinator()
    writer.write(b"LEAVE\n")


async def main() -> None:
    await asyncio.create_task(stop(), name="stop")


asyncio.run(main())
