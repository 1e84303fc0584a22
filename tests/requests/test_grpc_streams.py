# SPDX-License-Identifier: Apache-2.0
"""A stream of `grpc.aio` under its stock instrumentation: who reads it waits for the request."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import grpc.aio

from peeps_otel.model import EdgeKind, NodeKind
from tests.requests.spans import World
from tests.support.looks import Look

_GRPC: Any = grpc
_STOCK: Any = importlib.import_module("opentelemetry.instrumentation.grpc")
_LOOKS_MOST = 500


async def chat(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
    async for request in requests:
        await asyncio.get_running_loop().create_future()
        yield request


class Books(grpc.GenericRpcHandler):
    def service(self, handler_call_details: object) -> Any:
        return _GRPC.stream_stream_rpc_method_handler(chat)


def needed(look: Look, waiter: str) -> list[str]:
    """The kinds of what it needs, and of what those need."""
    found: list[str] = []
    ids = [waiter]
    while ids:
        ids = [edge.dst for one in ids for edge in look.edges(one) if edge.kind is EdgeKind.NEEDS]
        found += [one.partition(":")[0] for one in ids]
    return found


def test_who_reads_a_stream_waits_for_the_request() -> None:
    world = World()

    async def main() -> tuple[list[str], str | None]:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((Books(),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        interceptors = _STOCK.aio_client_interceptors(tracer_provider=world.provider)

        async def update() -> None:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=interceptors) as channel:
                call = cast("Any", channel).stream_stream("/shop.Books/Chat")(wait_for_ready=True)
                await call.write(b"x")
                await call.read()

        task = asyncio.create_task(update(), name="update")
        for _ in range(_LOOKS_MOST):
            await asyncio.sleep(0.02)
            look = world.look()
            requests, kinds = look.of(NodeKind.REQUEST), needed(look, look.task("update").id)
            if requests and "request" in kinds:
                break
        else:
            raise AssertionError("the reader does not need the request")
        task.cancel()
        await asyncio.wait([task])
        await server.stop(None)
        return kinds, requests[0].state

    assert asyncio.run(main()) == (["task", "request"], "pending")
