# SPDX-License-Identifier: Apache-2.0
"""Cancelled tasks clean up, and the clean-up waits for a flush that only they could have made: the shutdown hangs."""

import asyncio

flushed = asyncio.Event()


async def stream(name: str) -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        await flushed.wait()  # <- waits for flush


async def main() -> None:
    streams = [asyncio.create_task(stream(name), name=name) for name in ("audio", "video")]
    await asyncio.sleep(0.2)
    for task in streams:
        task.cancel()
        await asyncio.sleep(0.1)
    await asyncio.gather(*streams, return_exceptions=True)


asyncio.run(main())
