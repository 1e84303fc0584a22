# SPDX-License-Identifier: Apache-2.0
"""Websockets with nothing to say: the server waits for messages, the client for answers, for hours."""

import asyncio

from aiohttp import ClientSession, web


async def chat(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(heartbeat=20)
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


async def listen(session: ClientSession, url: str) -> None:
    async with session.ws_connect(url) as socket:
        await socket.send_str("hello")
        async for message in socket:
            print(message.data)


async def main() -> None:
    app = web.Application()
    app.router.add_get("/chat", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as session, asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(listen(session, f"http://127.0.0.1:{port}/chat"), name=f"listener-{number}")


asyncio.run(main())
