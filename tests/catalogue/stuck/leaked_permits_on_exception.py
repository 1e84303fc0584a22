# SPDX-License-Identifier: Apache-2.0
"""Three failed downloads each kept their permit; the fourth waits for one that nobody has."""

import asyncio

downloads = asyncio.Semaphore(3)


async def download(url: str) -> None:
    await downloads.acquire()  # <- waits for permit
    await asyncio.sleep(0.01)
    if url.endswith(".part"):
        raise OSError("interrupted")  # <- part dies
    downloads.release()


async def main() -> None:
    parts = [asyncio.create_task(download(f"{n}.part"), name=f"part-{n}") for n in range(3)]
    await asyncio.wait(parts)
    for part in parts:
        print(part.exception())
    await asyncio.create_task(download("whole"), name="whole")


asyncio.run(main())
