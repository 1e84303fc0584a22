# SPDX-License-Identifier: Apache-2.0
"""Each crawl holds one of two permits and needs a second one for the robots file: with two at work nobody gets it."""

import asyncio

connections = asyncio.BoundedSemaphore(2)


async def fetch(path: str) -> str:
    async with connections:  # <- waits for permit
        await asyncio.sleep(0.02)
        return path


async def crawl(site: str) -> None:
    async with connections:  # <- takes permit
        await asyncio.sleep(0.05)
        await fetch(f"{site}/robots.txt")


async def main() -> None:
    sites = ["news", "shop"]
    await asyncio.gather(*(asyncio.create_task(crawl(site), name=f"crawl-{site}") for site in sites))


asyncio.run(main())
