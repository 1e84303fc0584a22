# SPDX-License-Identifier: Apache-2.0
"""A crawler with five permits and two hundred pages: most tasks wait, all get there."""

import asyncio

permits = asyncio.Semaphore(5)


async def crawl(page: int) -> None:
    async with permits:
        await asyncio.sleep(0.05)


async def main() -> None:
    while True:
        await asyncio.gather(*(asyncio.create_task(crawl(page), name=f"page-{page}") for page in range(200)))


asyncio.run(main())
