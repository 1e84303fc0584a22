# SPDX-License-Identifier: Apache-2.0
"""A poller catches `CancelledError` with everything else and goes on; the shutdown that cancelled it waits for it."""

import asyncio


async def poll(updates: asyncio.Queue[str]) -> None:
    while True:
        try:
            print(await updates.get())  # <- poller waits
        except BaseException as error:
            print("ignored", repr(error))


async def shut_down(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def main() -> None:
    updates: asyncio.Queue[str] = asyncio.Queue()
    poller = asyncio.create_task(poll(updates), name="poller")
    await asyncio.sleep(0.3)
    await asyncio.create_task(shut_down(poller), name="shut-down")


asyncio.run(main())
