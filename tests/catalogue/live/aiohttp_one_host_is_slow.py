# SPDX-License-Identifier: Apache-2.0
"""A host with a limit of two that takes a second for each answer, beside a quick one: its clients get through."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(1)
    return web.Response(text="at last")


async def quick(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def serve(handler: Callable[[web.Request], Awaitable[web.Response]]) -> str:
    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


async def customer(session: ClientSession, url: str) -> None:
    while True:
        async with session.get(url) as answer:
            await answer.read()
        await asyncio.sleep(0.01)


async def main() -> None:
    urls = [await serve(slow), await serve(quick)]
    connector = TCPConnector(limit_per_host=2)
    async with ClientSession(connector=connector, timeout=ClientTimeout(total=None)) as session:
        await asyncio.gather(*(customer(session, url) for url in urls for _ in range(4)))


asyncio.run(main())
