# SPDX-License-Identifier: Apache-2.0
"""One of two services that call each other: `services.py TRANSPORT MODE NAME PORT OTHER [SECONDS]`.

TRANSPORT: aiohttp, grpc or roam. MODE: `deadlock`, each calls the other while it holds the lock that its own answer
needs; `cancelled`, the caller gives up, and the handler does not. OTHER: the port of the other one. SECONDS: a timeout
of the calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

from listens import until_it_listens

import peeps_otel

Handler = Callable[[], Awaitable[str]]


async def serve_aiohttp(port: int, handler: Handler) -> None:
    from aiohttp import web

    async def read(_request: web.Request) -> web.Response:
        return web.Response(text=await handler())

    app = web.Application()
    app.router.add_get("/read", read)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()


async def call_aiohttp(port: int, seconds: float | None) -> str:
    import aiohttp

    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds)) as session,
        session.get(f"http://127.0.0.1:{port}/read") as response,
    ):
        return await response.text()


async def serve_grpc(port: int, handler: Handler) -> None:
    import grpc

    async def read(_request: bytes, _context: Any) -> bytes:
        return (await handler()).encode()

    class Books(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            return cast("Any", grpc).unary_unary_rpc_method_handler(read)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Books(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    kept.append(server)


async def call_grpc(port: int, seconds: float | None) -> str:
    import grpc

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        answer: Any = await cast("Any", channel).unary_unary("/shop.Books/Read")(
            b"", timeout=seconds, wait_for_ready=True
        )
        return str(answer, "utf-8")


async def serve_roam(port: int, handler: Handler) -> None:
    from peeps_otel import roam

    async def read(_context: roam.Context) -> str:
        return await handler()

    service = roam.Service("books")
    service.add(roam.Method("Books", "read", (), roam.STRING), read)
    kept.append(await roam.serve_tcp(service, "127.0.0.1", port))


async def call_roam(port: int, seconds: float | None) -> str:
    from peeps_otel import roam

    async with asyncio.timeout(seconds), await roam.connect_tcp("127.0.0.1", port) as link:
        return str(await link.call(roam.Method("Books", "read", (), roam.STRING)))


kept: list[Any] = []
SERVE = {"aiohttp": serve_aiohttp, "grpc": serve_grpc, "roam": serve_roam}
CALL = {"aiohttp": call_aiohttp, "grpc": call_grpc, "roam": call_roam}


async def deadlock(transport: str, port: int, other: int, seconds: float | None) -> None:
    books = asyncio.Lock()

    async def read() -> str:
        async with books:
            return "42"

    await SERVE[transport](port, read)
    await until_it_listens(other)

    async def update() -> None:
        async with books:
            await asyncio.sleep(3)  # until the other one has got there too
            await CALL[transport](other, seconds)

    task = asyncio.create_task(update(), name="update")
    print("services: at work", flush=True)
    with contextlib.suppress(Exception):
        await task
    await asyncio.sleep(3600)


async def cancelled(transport: str, port: int, other: int, seconds: float | None) -> None:
    async def read() -> str:
        await asyncio.sleep(3600)
        return ""

    await SERVE[transport](port, read)
    if port > other:  # one of the two calls
        task = asyncio.create_task(CALL[transport](other, seconds), name="update")
        await asyncio.sleep(4)
        task.cancel()
    print("services: at work", flush=True)
    await asyncio.sleep(3600)


def instrument(transport: str) -> None:
    """The stock instrumentations, as a program without `opentelemetry-instrument` sets them up."""
    if transport == "grpc":
        from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, GrpcAioInstrumentorServer  # pyright: ignore[reportMissingTypeStubs]  # the instrumentation has no types

        GrpcAioInstrumentorClient().instrument()
        GrpcAioInstrumentorServer().instrument()
    elif transport == "aiohttp":  # Roam makes its spans itself
        from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
        from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor  # pyright: ignore[reportMissingTypeStubs]  # the instrumentation has no types

        AioHttpClientInstrumentor().instrument()
        AioHttpServerInstrumentor().instrument()


def main() -> None:
    transport, mode, name, port, other, *timeout = sys.argv[1:]
    peeps_otel.init(name)
    instrument(transport)
    run = {"deadlock": deadlock, "cancelled": cancelled}[mode]
    asyncio.run(run(transport, int(port), int(other), float(timeout[0]) if timeout else None))


if __name__ == "__main__":
    main()
