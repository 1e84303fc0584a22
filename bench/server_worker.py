# SPDX-License-Identifier: Apache-2.0
"""A server to be loaded: `python -m bench.server_worker MODE LOOP KIND`. Says its port; ends by SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any, cast

from . import peers, watched
from .counting import Counting
from .loops import loop_factory
from .report_line import tell
from .request_work import Work
from .steady import pin_arenas


def _listening() -> socket.socket:
    """Its protocol is named, as it is by everybody who listens at an address: asyncio has small answers sent at once
    (TCP_NODELAY) only then, and a server that waits 40 ms for an acknowledgement is idle."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    listening.listen(256)
    tell({"port": listening.getsockname()[1]})
    return listening


async def streams() -> None:
    work = Work()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                body = await work.handle()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connection, sock=_listening())
    await server.serve_forever()


async def aiohttp() -> None:
    from aiohttp import web

    work = Work()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=await work.handle())

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.SockSite(runner, _listening()).start()
    await asyncio.Event().wait()


async def fastapi() -> None:
    from fastapi import FastAPI, Response
    from uvicorn import Config, Server

    work = Work()

    async def answer() -> Response:
        return Response(await work.handle())

    application = FastAPI()
    application.add_api_route("/", answer)
    await Server(Config(application, log_level="warning", access_log=False)).serve([_listening()])


async def grpc() -> None:
    import grpc as library
    from grpc import aio

    work = Work()

    async def answer(_request: bytes, _context: object) -> bytes:
        return await work.handle()

    class Answers(library.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            return cast("Any", library).unary_unary_rpc_method_handler(answer)

    server = aio.server()
    server.add_generic_rpc_handlers((Answers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    tell({"port": port})
    await server.wait_for_termination()


SERVERS: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
    "aiohttp": aiohttp,
    "fastapi": fastapi,
    "streams": streams,
    "grpc": grpc,
}
NEEDS = {"aiohttp": "aiohttp", "fastapi": "uvicorn", "grpc": "grpcio"}
"""The distribution without which there is no such server."""


async def _serve(mode: str, kind: str) -> None:
    watched.require(mode)
    await peers.start_on_loop(mode)
    if kind != "fastapi":  # uvicorn has a handler of its own
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sys.exit)
    Counting().install(asyncio.get_running_loop())
    await SERVERS[kind]()


def main(mode: str, loop: str, kind: str) -> None:
    arenas = pin_arenas()
    peers.start(mode)
    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        runner.run(_serve(mode, kind))
    del arenas


if __name__ == "__main__":
    main(*sys.argv[1:])
