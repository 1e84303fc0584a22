# SPDX-License-Identifier: Apache-2.0
"""A future of a library's own is a wait for the peer where the library's protocol will complete it, and else is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from peeps_otel.probes.asyncio.probe import AsyncioProbe
from tests.probes.program import kept, running, started


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    kept.append(writer)
    await reader.read()


async def _silent_server() -> int:
    server = await asyncio.start_server(_silent, "127.0.0.1", 0)
    kept.append(server)
    return server.sockets[0].getsockname()[1]


async def aiohttp_get() -> None:
    import aiohttp

    port = await _silent_server()
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
    kept.append(session)

    async def call() -> None:
        async with session:
            await session.get(f"http://127.0.0.1:{port}/")

    started(call())


async def websockets_recv() -> None:
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import ServerConnection, serve

    async def listen(connection: ServerConnection) -> None:
        await connection.wait_closed()

    server = await serve(listen, "127.0.0.1", 0)
    kept.append(server)
    port = next(iter(server.sockets)).getsockname()[1]

    async def call() -> None:
        async with connect(f"ws://127.0.0.1:{port}") as connection:
            await connection.recv()

    started(call())


@pytest.mark.parametrize("case", [aiohttp_get, websockets_recv], ids=lambda case: case.__name__)
def test_a_client_waits_for_its_peer(case: Callable[[], Awaitable[None]], probe: AsyncioProbe, loop_kind: str) -> None:
    with running(probe, case, loop_kind) as program:
        seen = program.until(lambda seen: seen.operation("waiter") == "socket")
        assert seen.needs("waiter") == ["io"]
        (target,) = (edge.dst for edge in seen.edges if edge.src == seen.task("waiter").id)
        assert seen.nodes[target].attributes["network.peer.address"] == "127.0.0.1"


def test_a_connection_that_a_library_waits_for_is_none_that_answers(probe: AsyncioProbe) -> None:
    """The pool's own future is not one that a protocol completes, though the pool has open connections."""
    import aiohttp

    async def case() -> None:
        port = await _silent_server()
        connector = aiohttp.TCPConnector(limit=1)
        session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        kept.append(session)

        async def call() -> None:
            await session.get(f"http://127.0.0.1:{port}/")

        started(call(), "has it")
        await asyncio.sleep(0.2)
        started(call(), "wants it")

    with running(probe, case) as program:
        seen = program.settled("has it", "wants it")
        assert (seen.operation("has it"), seen.operation("wants it")) == ("socket", "pool.acquire")


def test_a_future_of_the_program_itself_stays_one(probe: AsyncioProbe) -> None:
    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport
            self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def ask(self) -> bytes:
            return await self.answer

    async def case() -> None:
        port = await _silent_server()
        _, protocol = await asyncio.get_running_loop().create_connection(Protocol, "127.0.0.1", port)
        started(protocol.ask())

    with running(probe, case) as program:
        assert program.settled("waiter").operation("waiter") == "future"


def test_a_server_that_shuts_down_waits_for_its_handler_not_for_the_peer(probe: AsyncioProbe) -> None:
    """An open connection reaches the future that tells it of the handler's end, too, and does not complete it."""
    import aiohttp
    from aiohttp import web

    async def case() -> None:
        async def handle(_: web.Request) -> web.Response:
            await asyncio.Event().wait()
            return web.Response()

        app = web.Application()
        app.router.add_get("/", handle)
        runner = web.AppRunner(app, shutdown_timeout=300)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        kept.append(session)

        async def call() -> None:
            await session.get(f"http://127.0.0.1:{port}/")

        started(call(), "call")
        await asyncio.sleep(0.2)
        started(runner.cleanup(), "stop")

    with running(probe, case) as program:
        seen = program.settled("stop")
        (shutdown,) = (node for node in seen.nodes.values() if node.name.startswith("RequestHandler.shutdown"))
        (target,) = (edge.dst for edge in seen.edges if edge.src == shutdown.id)
        assert seen.nodes[target].name.startswith("RequestHandler.start ")
        assert shutdown.wait is not None
        assert (shutdown.wait.operation, shutdown.wait.deadline_ns is None) == ("server.shutdown", False)


def test_a_server_that_was_told_to_stop_waits_for_its_handlers(probe: AsyncioProbe) -> None:
    """It only looks again and again whether they have ended."""
    import uvicorn

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.Event().wait()

    async def case() -> None:
        server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="critical"))
        started(server._serve(), "serve")  # pyright: ignore[reportPrivateUsage]  without its signal handlers
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        kept.append(writer)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"first")
        server.should_exit = True

    with running(probe, case) as program:
        seen = program.until(lambda seen: seen.operation("serve") == "server.shutdown")
        serve = seen.task("serve")
        (handler,) = (edge.dst for edge in seen.edges if edge.src == serve.id)
        wait = seen.nodes[handler].wait
        assert serve.wait is not None
        assert serve.wait.deadline_ns is None  # the timer in sight only ends the pause between two looks
        assert (serve.attributes["peeps.task.ends_server"], wait and wait.operation) == (True, "event.wait")


def test_of_a_future_it_is_told_whether_a_variable_refers_to_it(probe: AsyncioProbe) -> None:
    async def unnamed() -> None:
        await asyncio.Future()

    async def named() -> None:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await answer

    async def case() -> None:
        started(unnamed(), "unnamed")
        started(named(), "named")

    with running(probe, case) as program:
        seen = program.settled("unnamed", "named")
        marks = [seen.task(name).attributes.get("peeps.task.waits_unnamed") for name in ("unnamed", "named")]
        assert marks == [True, None]
