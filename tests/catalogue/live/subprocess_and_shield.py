# SPDX-License-Identifier: Apache-2.0
"""A task waits for a subprocess that sleeps, another shields a slow upload from its own timeout."""

import asyncio
import sys


async def upload() -> None:
    await asyncio.sleep(90)


async def impatient(task: asyncio.Task[None]) -> None:
    while True:
        try:
            await asyncio.wait_for(asyncio.shield(task), 0.4)
        except TimeoutError:
            print("still uploading")


async def convert() -> int:
    process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "import time; time.sleep(60)")
    return await process.wait()


async def main() -> None:
    task = asyncio.create_task(upload(), name="upload")
    await asyncio.gather(task, impatient(task), convert())


asyncio.run(main())
