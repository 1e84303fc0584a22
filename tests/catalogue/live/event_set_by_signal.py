# SPDX-License-Identifier: Apache-2.0
"""A service that runs until SIGTERM: its main task waits on an event that only a signal sets."""

import asyncio
import signal


async def tick() -> None:
    while True:
        await asyncio.sleep(0.2)


async def main() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ticker = asyncio.create_task(tick(), name="ticker")
    await stop.wait()
    ticker.cancel()


asyncio.run(main())
