# SPDX-License-Identifier: Apache-2.0
"""Two services that call each other with their locks in hand, and no span on either side:
`unspanned_calls.py SERVER PORT OTHER`. SERVER: aiohttp with its client, or uvicorn on uvloop with httpx."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from listens import until_it_listens

books = asyncio.Lock()


async def read() -> bytes:
    async with books:
        return b"42"


async def serve_aiohttp(port: int) -> None:
    from aiohttp import web

    async def stock(_request: web.Request) -> web.Response:
        return web.Response(body=await read())

    app = web.Application()
    app.router.add_get("/stock", stock)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    kept.append(runner)


async def call_aiohttp(port: int) -> None:
    import aiohttp

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        await session.get(f"http://127.0.0.1:{port}/stock")


async def serve_uvicorn(port: int) -> None:
    import uvicorn

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        body = await read()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    kept.append(asyncio.create_task(server.serve()))


async def call_uvicorn(port: int) -> None:
    import httpx

    async with httpx.AsyncClient(timeout=None) as client:
        await client.get(f"http://127.0.0.1:{port}/stock")


kept: list[Any] = []
SERVE = {"aiohttp": serve_aiohttp, "uvicorn": serve_uvicorn}
CALL: dict[str, Callable[[int], Awaitable[None]]] = {"aiohttp": call_aiohttp, "uvicorn": call_uvicorn}


async def main(library: str, port: int, other: int) -> None:
    await SERVE[library](port)
    await until_it_listens(other)

    async def update() -> None:
        async with books:
            await asyncio.sleep(2)  # until the other one has got there too
            await CALL[library](other)

    print("unspanned_calls: at work", flush=True)
    await asyncio.create_task(update(), name="update")


if __name__ == "__main__":
    run: Callable[[Any], object] = asyncio.run
    if sys.argv[1] == "uvicorn":
        import uvloop

        run = uvloop.run
    run(main(sys.argv[1], *map(int, sys.argv[2:])))
