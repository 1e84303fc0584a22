# SPDX-License-Identifier: Apache-2.0
"""An echo server: `python -m bench.echo_worker grpc|http`. Says its port; ends by SIGTERM. From SIGUSR1 to SIGUSR2 it
counts the bytecode instructions of its thread, and tells them after the latter."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any, cast

from .counting import Counting
from .report_line import tell
from .steady import pin_arenas


async def _grpc() -> int:
    import grpc
    import grpc.aio

    async def echo(request: bytes, _context: Any) -> bytes:
        return request

    class Echo(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            return cast("Any", grpc).unary_unary_rpc_method_handler(echo)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    kept.append(server)
    return port


async def _http() -> int:
    from aiohttp import web

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    application = web.Application()
    application.router.add_post("/echo", echo)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    kept.append(runner)
    return runner.addresses[0][1]


kept: list[Any] = []
SERVERS = {"grpc": _grpc, "http": _http}


async def main(kind: str) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, sys.exit)
    Counting().install(loop)
    tell({"port": await SERVERS[kind]()})
    await asyncio.Event().wait()


if __name__ == "__main__":
    arenas = pin_arenas()
    asyncio.run(main(sys.argv[1]))
