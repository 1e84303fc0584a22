# SPDX-License-Identifier: Apache-2.0
"""Long polls: each subscriber waits on an event that is set when there is news, which today is seldom."""

import asyncio


class Topic:
    def __init__(self) -> None:
        self.news = asyncio.Event()

    async def poll(self) -> str:
        try:
            async with asyncio.timeout(25):
                await self.news.wait()
                return "news"
        except TimeoutError:
            return "nothing"


async def main() -> None:
    topics = [Topic() for _ in range(20)]
    polls = [asyncio.create_task(topic.poll(), name=f"poll-{n}") for n, topic in enumerate(topics)]
    for topic in topics:
        await asyncio.sleep(1)
        topic.news.set()
    await asyncio.gather(*polls)


asyncio.run(main())
