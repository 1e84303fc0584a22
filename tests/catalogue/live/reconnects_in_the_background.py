# SPDX-License-Identifier: Apache-2.0
"""Nobody waits for a task that tries for ever to reach a collector which is not there; the work goes on."""

import asyncio
import socket

with socket.socket() as unused:
    unused.bind(("127.0.0.1", 0))
    PORT = unused.getsockname()[1]


async def send_telemetry() -> None:
    while True:
        try:
            await asyncio.open_connection("127.0.0.1", PORT)
            return
        except OSError:
            await asyncio.sleep(0.5)


async def produce(items: asyncio.Queue[int]) -> None:
    for number in range(1_000_000):
        await items.put(number)
        await asyncio.sleep(0.3)


async def consume(items: asyncio.Queue[int]) -> None:
    while True:
        await items.get()


async def main() -> None:
    telemetry = asyncio.create_task(send_telemetry())
    items: asyncio.Queue[int] = asyncio.Queue(5)
    await asyncio.gather(produce(items), consume(items))
    await telemetry


asyncio.run(main())
