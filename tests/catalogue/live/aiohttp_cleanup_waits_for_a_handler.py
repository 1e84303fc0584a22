# SPDX-License-Identifier: Apache-2.0
"""A runner is cleaned up while a handler still works: it has five minutes."""

import asyncio

import aiohttp
from aiohttp import web


async def main() -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(100)
        return web.Response()

    app = web.Application()
    app.router.add_get("/", slow)
    runner = web.AppRunner(app, shutdown_timeout=300)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        asked = asyncio.create_task(session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/"), name="asked")
        await asyncio.sleep(0.2)
        await runner.cleanup()
        await asked


asyncio.run(main())
