# SPDX-License-Identifier: Apache-2.0
"""A call that nobody answers: `lost_calls.py NAME TRANSPORT PORT`. NAME: `server` or `client`. TRANSPORT: aiohttp,
httpx (to FastAPI), grpc or grpc_aio."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, cast

METHOD = "/shop.Books/Read"


def serve_aiohttp(port: int) -> None:
    from aiohttp import web

    async def read(_request: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        return web.Response()

    app = web.Application()
    app.router.add_get("/read", read)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


def serve_httpx(port: int) -> None:
    import fastapi
    import uvicorn

    app = fastapi.FastAPI()

    async def read() -> None:
        await asyncio.sleep(3600)

    app.get("/read")(read)
    uvicorn.run(app, port=port, log_level="warning")


def _handlers(read: Callable[..., Any]) -> Any:
    import grpc

    class Books(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            return cast("Any", grpc).unary_unary_rpc_method_handler(read)

    return (Books(),)


def serve_grpc(port: int) -> None:
    import grpc

    def read(_request: bytes, _context: Any) -> bytes:
        time.sleep(3600)
        return b""

    server: Any = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(_handlers(read))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def serve_grpc_aio(port: int) -> None:
    import grpc

    async def read(_request: bytes, _context: Any) -> bytes:
        await asyncio.sleep(3600)
        return b""

    async def serve() -> None:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers(_handlers(read))
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await server.wait_for_termination()

    asyncio.run(serve())


async def call_aiohttp(port: int) -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/read"):
        pass


async def call_httpx(port: int) -> None:
    import httpx

    async with httpx.AsyncClient(timeout=None) as client:
        await client.get(f"http://127.0.0.1:{port}/read")


async def call_grpc_aio(port: int) -> None:
    import grpc

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await cast("Any", channel).unary_unary(METHOD)(b"")


async def call_grpc(port: int) -> None:
    """On the loop: nothing else is to be done."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        cast("Any", channel).unary_unary(METHOD)(b"")


def until_it_listens(port: int) -> None:
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)


def main() -> None:
    name, transport, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    print(f"{name}: at work", flush=True)
    if name == "server":
        globals()[f"serve_{transport}"](port)
        return
    until_it_listens(port)
    with suppress(Exception):
        asyncio.run(globals()[f"call_{transport}"](port))
    time.sleep(3600)


if __name__ == "__main__":
    main()
