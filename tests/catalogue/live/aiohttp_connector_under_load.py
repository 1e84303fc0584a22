# SPDX-License-Identifier: Apache-2.0
"""Thirty tasks share a connector of four connections, without a timeout."""

import asyncio

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web


async def item(request: web.Request) -> web.Response:
    await asyncio.sleep(0.02)
    return web.Response(text="ok")


async def customer(session: ClientSession, url: str) -> None:
    while True:
        async with session.get(url) as answer:
            await answer.read()


async def main() -> None:
    app = web.Application()
    app.router.add_get("/", item)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession(connector=TCPConnector(limit=4), timeout=ClientTimeout(total=None)) as session:
        await asyncio.gather(*(customer(session, url) for _ in range(30)))


asyncio.run(main())
