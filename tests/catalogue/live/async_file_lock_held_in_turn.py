# SPDX-License-Identifier: Apache-2.0
"""Four tasks try for a lock of filelock again and again; each has it for a while, in no order."""

import asyncio
import tempfile

from filelock import AsyncFileLock


async def work(path: str) -> None:
    while True:
        async with AsyncFileLock(path):
            await asyncio.sleep(0.7)
        await asyncio.sleep(0.1)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        await asyncio.gather(*(work(f"{folder}/cache.lock") for _ in range(4)))


asyncio.run(main())
