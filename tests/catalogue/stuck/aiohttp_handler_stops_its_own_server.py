# SPDX-License-Identifier: Apache-2.0
"""A handler cleans up the runner that serves it, which waits for its handlers: until the limit of the shutdown."""

import asyncio

import aiohttp
from aiohttp import web


async def main() -> None:
    async def stop(_: web.Request) -> web.Response:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("stop")
        await runner.cleanup()  # <- stops
        return web.Response(text="stopped")

    app = web.Application()
    app.router.add_post("/stop", stop)
    runner = web.AppRunner(app, shutdown_timeout=300)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.post(f"http://127.0.0.1:{runner.addresses[0][1]}/stop"),
    ):
        pass


asyncio.run(main())
