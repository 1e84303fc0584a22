# SPDX-License-Identifier: Apache-2.0
"""A server to be loaded: `python -m bench.server_worker MODE LOOP KIND`. Says its port; ends by SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from . import peers, watched
from .loops import loop_factory
from .report_line import tell
from .request_work import Work
from .steady import pin_arenas


def _listening() -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    listening.listen(256)
    return listening


async def streams(listening: socket.socket) -> None:
    work = Work()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                body = await work.handle()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connection, sock=listening)
    await server.serve_forever()


async def aiohttp(listening: socket.socket) -> None:
    from aiohttp import web

    work = Work()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=await work.handle())

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    await asyncio.Event().wait()


async def fastapi(listening: socket.socket) -> None:
    from fastapi import FastAPI, Response
    from uvicorn import Config, Server

    work = Work()

    async def answer() -> Response:
        return Response(await work.handle())

    application = FastAPI()
    application.add_api_route("/", answer)
    await Server(Config(application, log_level="warning", access_log=False)).serve([listening])


SERVERS: dict[str, Callable[[socket.socket], Coroutine[Any, Any, None]]] = {
    "aiohttp": aiohttp,
    "fastapi": fastapi,
    "streams": streams,
}


async def _serve(mode: str, kind: str) -> None:
    watched.require(mode)
    await peers.start_on_loop(mode)
    if kind != "fastapi":  # uvicorn has a handler of its own
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sys.exit)
    listening = _listening()
    tell({"port": listening.getsockname()[1]})
    await SERVERS[kind](listening)


def main(mode: str, loop: str, kind: str) -> None:
    arenas = pin_arenas()
    peers.start(mode)
    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        runner.run(_serve(mode, kind))
    del arenas


if __name__ == "__main__":
    main(*sys.argv[1:])
