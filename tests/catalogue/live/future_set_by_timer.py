# SPDX-License-Identifier: Apache-2.0
"""A reply that comes by `call_later`: nobody holds the future but the timer, and it will fire."""

import asyncio


async def request(number: int) -> int:
    loop = asyncio.get_running_loop()
    reply: asyncio.Future[int] = loop.create_future()
    loop.call_later(1.0, reply.set_result, number)
    return await reply


async def main() -> None:
    number = 0
    while True:
        number += await request(1)


asyncio.run(main())
