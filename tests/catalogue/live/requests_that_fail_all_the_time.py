# SPDX-License-Identifier: Apache-2.0
"""Half of the requests raise; all of them use one lock and one queue, which go on being used."""

import asyncio
import contextlib

pool: asyncio.Queue[int] = asyncio.Queue()
lock = asyncio.Lock()


async def request(number: int) -> None:
    connection = await pool.get()
    try:
        async with lock:
            await asyncio.sleep(0.01)
            if number % 2:
                raise KeyError(number)
    finally:
        pool.put_nowait(connection)


async def client(number: int) -> None:
    while True:
        with contextlib.suppress(KeyError):
            await asyncio.create_task(request(number), name=f"request-{number}")
        await asyncio.sleep(0.01)


async def main() -> None:
    for connection in range(3):
        pool.put_nowait(connection)
    await asyncio.gather(*(client(number) for number in range(8)))


asyncio.run(main())
