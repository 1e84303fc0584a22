# SPDX-License-Identifier: Apache-2.0
"""A worker neither reads nor lets go of a response, and asks for the next one by the only connection."""

import asyncio

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web


async def item(request: web.Request) -> web.Response:
    return web.Response(body=b"x" * 1_000_000)


async def work(session: ClientSession, url: str) -> None:
    first = await session.get(f"{url}/1")  # <- keeps the first
    second = await session.get(f"{url}/2")  # <- asks for the second
    print(first.status, second.status)


async def main() -> None:
    app = web.Application()
    app.router.add_get("/{number}", item)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession(connector=TCPConnector(limit=1), timeout=ClientTimeout(total=None)) as session:
        await asyncio.create_task(work(session, url), name="worker")


asyncio.run(main())
