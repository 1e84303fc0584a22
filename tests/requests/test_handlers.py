# SPDX-License-Identifier: Apache-2.0
"""Who handles a response where the server answers by a task of its own: real Starlette, under the stock
instrumentation of ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware  # pyright: ignore[reportMissingTypeStubs]  # the instrumentation has no types
from starlette.responses import StreamingResponse

from peeps_otel import semconv
from peeps_otel.model import EdgeKind, NodeKind
from tests.requests.spans import World
from tests.support.looks import Look

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/rows",
    "headers": [],
    "query_string": b"",
    "scheme": "http",
    "server": ("127.0.0.1", 8000),
    "client": ("127.0.0.1", 40000),
    "asgi": {"version": "3.0", "spec_version": "2.3"},
}
Asgi = Callable[..., Awaitable[None]]


def while_it_answers(world: World, app: Asgi, scope: dict[str, Any] = SCOPE) -> Look:
    """A look once the handler waits. The client goes on listening, and says nothing."""

    async def send(_message: Any) -> None:
        """Takes all."""

    async def main() -> Look:
        watched: Any = OpenTelemetryMiddleware(app, tracer_provider=world.provider)
        handler = asyncio.ensure_future(watched(dict(scope), asyncio.Queue[Any]().get, send))
        await asyncio.sleep(0.05)
        look = world.look()
        handler.cancel()
        await asyncio.gather(handler, return_exceptions=True)
        return look

    with world.recording():
        return asyncio.run(main())


def waiters_of(look: Look) -> list[tuple[str, bool]]:
    """Who handles the one response: in what it waits, and whether in a function of this file."""
    (response,) = look.of(NodeKind.RESPONSE)
    by_id = {node.id: node for node in look.of(NodeKind.TASK)}
    handlers = [by_id[edge.dst] for edge in look.edges(response.id) if edge.kind is EdgeKind.HANDLED_BY]
    return [(one.wait.operation, one.wait.source.startswith(__file__)) for one in handlers if one.wait is not None]


def test_who_streams_an_answer_handles_the_response_and_not_who_listens_whether_the_client_goes() -> None:
    async def rows() -> AsyncGenerator[bytes]:
        yield b"head"
        await asyncio.Event().wait()

    assert waiters_of(while_it_answers(World(), StreamingResponse(rows()))) == [("event.wait", True)]


def test_a_handler_in_code_of_the_program_handles_it_whatever_it_has_started() -> None:
    async def beside() -> None:
        await asyncio.Event().wait()

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        task = asyncio.ensure_future(beside())
        await asyncio.Semaphore(0).acquire()
        task.cancel()

    assert waiters_of(while_it_answers(World(), app)) == [("semaphore.acquire", True)]


def test_a_response_says_over_which_connection_of_its_host_it_is_awaited() -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.Event().wait()

    (response,) = while_it_answers(World(), app).of(NodeKind.RESPONSE)
    over = response.attributes[semconv.RPC_OVER]
    assert str(over).endswith("/tcp/127.0.0.1:40000>8000")
    (afar,) = while_it_answers(World(), app, SCOPE | {"client": ("192.0.2.7", 40000)}).of(NodeKind.RESPONSE)
    assert semconv.RPC_OVER not in afar.attributes
    websocket = SCOPE | {"type": "websocket", "scheme": "ws"}
    (kept,) = while_it_answers(World(), app, websocket).of(NodeKind.RESPONSE)
    assert semconv.RPC_OVER not in kept.attributes
