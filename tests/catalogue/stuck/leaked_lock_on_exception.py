# SPDX-License-Identifier: Apache-2.0
"""An error path forgets the release: the lock belongs to a task that is gone, and everybody after it waits."""

import asyncio

session = asyncio.Lock()


async def log_in(user: str) -> None:
    await session.acquire()
    if not user:
        raise ValueError("no user")  # the release below is never reached
    session.release()


async def log_out() -> None:
    async with session:  # <- log-out waits
        print("out")


async def main() -> None:
    await asyncio.gather(asyncio.create_task(log_in(""), name="log-in"), return_exceptions=True)
    await asyncio.create_task(log_out(), name="log-out")


asyncio.run(main())
