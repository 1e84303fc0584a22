# SPDX-License-Identifier: Apache-2.0
"""An aiohttp server whose handlers share a lock and a pool of three connections, with ten busy clients."""

import asyncio

from aiohttp import ClientSession, web

basket = asyncio.Lock()
connections = asyncio.Semaphore(3)


async def buy(request: web.Request) -> web.Response:
    async with connections:
        await asyncio.sleep(0.005)
        async with basket:
            await asyncio.sleep(0.001)
    return web.json_response({"item": request.match_info["item"]})


async def customer(session: ClientSession, url: str) -> None:
    while True:
        async with session.get(url) as answer:
            await answer.json()


async def main() -> None:
    app = web.Application()
    app.router.add_get("/buy/{item}", buy)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with ClientSession() as session:
        await asyncio.gather(*(customer(session, f"http://127.0.0.1:{port}/buy/{n}") for n in range(10)))


asyncio.run(main())
