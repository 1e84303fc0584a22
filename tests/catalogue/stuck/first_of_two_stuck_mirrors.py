# SPDX-License-Identifier: Apache-2.0
"""The download waits for whichever mirror answers first, and both mirrors wait for the lock that the download holds."""

import asyncio

bandwidth = asyncio.Lock()


async def mirror(name: str) -> str:
    async with bandwidth:  # <- mirrors wait
        return name


async def download() -> None:
    async with bandwidth:  # <- download takes bandwidth
        mirrors = [asyncio.create_task(mirror(name), name=name) for name in ("mirror-1", "mirror-2")]
        done, _ = await asyncio.wait(mirrors, return_when=asyncio.FIRST_COMPLETED)  # <- download waits for one
        print(done)


async def main() -> None:
    await asyncio.create_task(download(), name="download")


asyncio.run(main())
