# SPDX-License-Identifier: Apache-2.0
"""A pool of connections on an asyncio.Queue: a request that fails never puts its connection back; soon none is left."""

import asyncio


async def request(free: asyncio.Queue[str], number: int) -> None:
    connection = await free.get()  # <- takes
    await asyncio.sleep(0.01)
    if number % 2:
        print("bad request", number)
        return
    free.put_nowait(connection)


async def main() -> None:
    free: asyncio.Queue[str] = asyncio.Queue()
    for number in range(2):
        free.put_nowait(f"connection {number}")
    for number in range(6):
        await asyncio.create_task(request(free, number), name=f"request-{number}")  # <- waits for a request


asyncio.run(main())
