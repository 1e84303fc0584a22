# SPDX-License-Identifier: Apache-2.0
"""A heartbeat swallows the cancellation that comes while it sleeps, and beats on; `stop()` waits for its end."""

import asyncio


async def heartbeat(beats: list[float]) -> None:
    while True:
        try:
            await asyncio.sleep(0.2)
            beats.append(asyncio.get_running_loop().time())
        except asyncio.CancelledError:
            continue


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def main() -> None:
    task = asyncio.create_task(heartbeat([]), name="heartbeat")
    await asyncio.sleep(0.5)
    await asyncio.create_task(stop(task), name="stop")


asyncio.run(main())
