# SPDX-License-Identifier: Apache-2.0
"""A runner of aiohttp cleans up, and waits for a long poll that `on_cleanup` would end, which comes only after that."""

import asyncio
from typing import Any

from aiohttp import ClientSession, web


async def poll(request: web.Request) -> web.Response:
    task = asyncio.current_task()
    assert task is not None
    task.set_name("poll")
    await request.app["news"].wait()  # <- polls
    return web.Response(text="news")


async def end_polls(app: web.Application) -> None:
    app["news"].set()


async def main() -> None:
    app = web.Application()
    app["news"] = asyncio.Event()
    app.router.add_get("/poll", poll)
    app.on_cleanup.append(end_polls)
    runner = web.AppRunner(app, shutdown_timeout=3600)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address: Any = runner.addresses[0]
    async with ClientSession() as session:
        asked = asyncio.create_task(session.get(f"http://127.0.0.1:{address[1]}/poll"), name="client")
        await asyncio.sleep(0.5)
        await runner.cleanup()
        await asked


asyncio.run(main())
