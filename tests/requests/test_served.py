# SPDX-License-Identifier: Apache-2.0
"""Who answers a call that no span tells of: real servers, asked by a real connection on whose answer somebody waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import uvicorn
from aiohttp import ClientSession, web
from opentelemetry.trace import SpanKind

from peeps_otel import semconv
from peeps_otel.model import EdgeKind, Node, NodeKind
from peeps_otel.model.end_digest import end_digest
from peeps_otel.probes.internals import end_names
from tests.requests.spans import World
from tests.support.looks import Look
from tests.support.network import free_port

Serving = Callable[[Callable[[], Any]], AbstractAsyncContextManager[int]]


@asynccontextmanager
async def _aiohttp(answer: Callable[[], Any]) -> AsyncGenerator[int]:
    async def stock(_request: web.Request) -> web.Response:
        await answer()
        return web.Response()

    app = web.Application()
    app.router.add_get("/stock", stock)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


def _uvicorn(parser: str) -> Serving:
    @asynccontextmanager
    async def serve(answer: Callable[[], Any]) -> AsyncGenerator[int]:
        async def app(scope: Any, _receive: Any, _send: Any) -> None:
            if scope["type"] == "http":
                await answer()

        port = free_port()
        config = uvicorn.Config(app, port=port, http=parser, log_level="critical", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        yield port
        server.force_exit = server.should_exit = True
        await serving

    return serve


SERVERS = {"aiohttp": _aiohttp, "h11": _uvicorn("h11"), "httptools": _uvicorn("httptools")}


def asked(world: World, serving: Serving, answer: Callable[[asyncio.Event], Any]) -> tuple[Look, Look, Look, str]:
    """Looks before anybody asks for the end of the server, once somebody does, and when the handler is done; and the
    client's end."""

    async def main() -> tuple[Look, Look, Look, str]:
        begun, done = asyncio.Event(), asyncio.Event()

        async def handle() -> None:
            begun.set()
            await answer(done)

        async with serving(handle) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /stock?id=7 HTTP/1.1\r\nHost: shop\r\n\r\n")
            await begun.wait()
            client = f"127.0.0.1:{writer.get_extra_info('sockname')[1]}"
            names = end_names.of_addresses(client, f"127.0.0.1:{port}")
            assert names is not None
            first = world.look()
            world.context.resources.flows.ends.every_ns = 0
            world.context.resources.flows.ends.ask(end_digest(names[1]))
            second = world.look()
            done.set()
            await reader.read(1)
            third = world.look()
            writer.close()
            return first, second, third, f"{names[0].partition('>')[0]}>{port}"

    with world.recording():
        return asyncio.run(main())


def handlers_of(look: Look, response: Node) -> list[str]:
    by_id = {node.id: node for node in look.of(NodeKind.TASK)}
    found = [by_id[edge.dst] for edge in look.edges(response.id) if edge.kind is EdgeKind.HANDLED_BY]
    return ["" if one.wait is None else one.wait.operation for one in found]


@pytest.mark.parametrize("server", SERVERS)
def test_a_call_without_a_span_is_a_response_while_somebody_elsewhere_waits_for_it(server: str) -> None:
    first, second, third, over = asked(World(), SERVERS[server], lambda done: done.wait())
    assert (first.of(NodeKind.RESPONSE), third.of(NodeKind.RESPONSE)) == ([], [])
    (response,) = second.of(NodeKind.RESPONSE)
    assert (response.name, response.state, response.attributes[semconv.RPC_OVER]) == ("GET /stock", "pending", over)
    assert semconv.CORRELATION not in response.attributes
    assert handlers_of(second, response) == ["event.wait"]


def test_a_websocket_is_no_call_that_its_handler_answers() -> None:
    async def main() -> list[Node]:
        begun = asyncio.Event()

        async def handle(request: web.Request) -> web.WebSocketResponse:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            begun.set()
            await socket.receive()
            return socket

        app = web.Application()
        app.router.add_get("/", handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        async with ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/"):
            await begun.wait()
            world.context.resources.flows.ends.every_ns = 0
            for _, names in end_names.own_ends().values():
                world.context.resources.flows.ends.ask(end_digest(names.here))
            found = world.look().of(NodeKind.RESPONSE)
        await runner.cleanup()
        return found

    world = World()
    with world.recording():
        assert asyncio.run(main()) == []


def test_one_with_a_span_says_over_which_connection_it_is_awaited() -> None:
    world = World()

    async def answer(done: asyncio.Event) -> None:
        with world.tracer.start_as_current_span("GET", kind=SpanKind.SERVER):
            await done.wait()

    first, second, _, over = asked(world, _aiohttp, answer)
    (before,), (response,) = first.of(NodeKind.RESPONSE), second.of(NodeKind.RESPONSE)
    assert (response.id, semconv.RPC_OVER in before.attributes) == (before.id, False)
    assert response.attributes == before.attributes | {semconv.RPC_OVER: over}
    assert handlers_of(second, response) == ["event.wait"]
