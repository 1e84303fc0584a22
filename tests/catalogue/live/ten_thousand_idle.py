# SPDX-License-Identifier: Apache-2.0
"""Ten thousand connections, each waiting for its next message; a hundred of them busy."""

import asyncio


async def connection(inbox: asyncio.Queue[bytes]) -> None:
    while True:
        await inbox.get()


async def chatter(inboxes: list[asyncio.Queue[bytes]]) -> None:
    while True:
        for inbox in inboxes:
            inbox.put_nowait(b"hello")
        await asyncio.sleep(0.1)


async def main() -> None:
    inboxes: list[asyncio.Queue[bytes]] = [asyncio.Queue() for _ in range(10_000)]
    async with asyncio.TaskGroup() as group:
        for number, inbox in enumerate(inboxes):
            group.create_task(connection(inbox), name=f"connection-{number}")
            if number % 100 == 0:
                await asyncio.sleep(0)
        group.create_task(chatter(inboxes[:100]), name="chatter")


asyncio.run(main())
