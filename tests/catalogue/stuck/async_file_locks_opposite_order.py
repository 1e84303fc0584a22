# SPDX-License-Identifier: Apache-2.0
"""Two tasks lock two files by filelock in opposite orders; each tries for the second again and again."""

import asyncio
import tempfile

from filelock import AsyncFileLock


async def copies(source: str, target: str) -> None:
    async with AsyncFileLock(source):  # <- takes the file it reads
        await asyncio.sleep(0.3)
        async with AsyncFileLock(target):  # <- tries for the file it writes
            pass


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, other = f"{folder}/one.lock", f"{folder}/other.lock"
        async with asyncio.TaskGroup() as group:
            group.create_task(copies(one, other), name="backup")
            group.create_task(copies(other, one), name="restore")


asyncio.run(main())
