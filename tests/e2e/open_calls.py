# SPDX-License-Identifier: Apache-2.0
"""Calls that stay open on purpose, calls that come and go all the time, and those that hang: `open_calls.py GRPC HTTP
DEAF` is their server, with `call` behind that their client. Nobody accepts at the port DEAF."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import grpc
import grpc.aio
from aiohttp import web


async def read(_request: bytes, _context: Any) -> bytes:
    await asyncio.sleep(0.005)
    return b"42"


async def hang(_request: bytes, _context: Any) -> bytes:
    await asyncio.sleep(3600)
    return b""


async def rows(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
    yield b"1"
    await asyncio.sleep(3600)


async def chat(requests: Any, _context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


class Books(grpc.GenericRpcHandler):
    def service(self, handler_call_details: Any) -> Any:
        made = cast("Any", grpc)
        return {
            "/shop.Books/Read": made.unary_unary_rpc_method_handler(read),
            "/shop.Books/Hang": made.unary_unary_rpc_method_handler(hang),
            "/shop.Books/Rows": made.unary_stream_rpc_method_handler(rows),
            "/shop.Books/Chat": made.stream_stream_rpc_method_handler(chat),
        }[handler_call_details.method]


async def serve(grpc_port: int, http_port: int, deaf_port: int) -> None:
    deaf = socket.create_server(("127.0.0.1", deaf_port))
    news: asyncio.Queue[str] = asyncio.Queue()

    async def following(_request: web.Request) -> web.Response:
        return web.Response(text=await news.get())

    async def slow(_request: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response()

    async def ticker(request: web.Request) -> web.WebSocketResponse:
        ticks = web.WebSocketResponse()
        await ticks.prepare(request)
        async for _ in ticks:
            pass
        return ticks

    app = web.Application()
    app.router.add_get("/next", following)
    app.router.add_get("/slow", slow)
    app.router.add_get("/ticker", ticker)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", http_port).start()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Books(),))
    server.add_insecure_port(f"127.0.0.1:{grpc_port}")
    await server.start()
    print("open_calls: at work", flush=True)
    with deaf:
        await asyncio.sleep(3600)


async def busy(channel: Any) -> None:
    while True:
        await channel.unary_unary("/shop.Books/Read")(b"")


async def stream(channel: Any) -> None:
    async for _ in channel.unary_stream("/shop.Books/Rows")(b""):
        pass


async def talk(channel: Any) -> None:
    call = channel.stream_stream("/shop.Books/Chat")()
    await call.write(b"hello")
    while True:
        await call.read()


async def poll(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(f"{url}/next") as response:
        await response.text()


async def give_up(session: aiohttp.ClientSession, url: str) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(session.get(f"{url}/slow"), 4)


async def unheard(session: aiohttp.ClientSession, port: int) -> None:
    async with session.get(f"http://127.0.0.1:{port}/unheard") as response:
        await response.text()


async def listen(session: aiohttp.ClientSession, url: str) -> None:
    async with session.ws_connect(f"{url}/ticker") as ticks:
        await ticks.receive()


async def hanging(channel: Any) -> None:
    await channel.unary_unary("/shop.Books/Hang")(b"")


async def call(grpc_port: int, http_port: int, deaf_port: int) -> None:
    url, timeout = f"http://127.0.0.1:{http_port}", aiohttp.ClientTimeout(total=None)
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel,
        aiohttp.ClientSession(timeout=timeout) as s,
    ):
        works = [stream(channel), talk(channel), hanging(channel), busy(channel), busy(channel)]
        works += [poll(s, url), listen(s, url), give_up(s, url), unheard(s, deaf_port)]
        tasks = [asyncio.create_task(one, name=one.__name__) for one in works]
        print("open_calls: at work", flush=True)
        await asyncio.gather(*tasks)


if __name__ == "__main__":
    run = call if "call" in sys.argv else serve
    asyncio.run(run(*map(int, sys.argv[1:4])))
