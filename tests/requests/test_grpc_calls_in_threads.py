# SPDX-License-Identifier: Apache-2.0
"""A call of gRPC that a thread makes, under its stock instrumentation: the thread wakes five times a second and is told
as waiting for its request all the time."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from peeps_otel.model import EdgeKind, Node, NodeKind
from tests.requests.spans import World
from tests.support.waiting import eventually

_GRPC: Any = grpc
_STOCK: Any = importlib.import_module("opentelemetry.instrumentation.grpc")
_INTERCEPTORS: Any = importlib.import_module("opentelemetry.instrumentation.grpc.grpcext")
_MINUTE_NS = 60_000_000_000
Call = Callable[[Any], object]


class Books(grpc.GenericRpcHandler):
    def __init__(self, go_on: threading.Event) -> None:
        self._go_on = go_on

    def service(self, handler_call_details: Any) -> Any:
        return _GRPC.unary_unary_rpc_method_handler(self._read)

    def _read(self, _request: bytes, _context: object) -> bytes:
        self._go_on.wait()
        return b"x"


@contextmanager
def calling(world: World, call: Call, times: int = 1) -> Generator[threading.Event]:
    """A thread that calls as often, one after the other; the answer to the event that is given."""
    world.look()  # takes note of the library
    go_on = threading.Event()
    server = _GRPC.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Books(go_on),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = _GRPC.insecure_channel(f"127.0.0.1:{port}")
    watched = _INTERCEPTORS.intercept_channel(channel, _STOCK.client_interceptor(tracer_provider=world.provider))

    def order() -> None:
        for _ in range(times):
            call(watched.unary_unary("/shop.Books/Read"))

    thread = threading.Thread(target=order, name="order")
    thread.start()
    try:
        yield go_on
    finally:
        go_on.set()
        thread.join()
        channel.close()
        server.stop(None).wait()


def _waiting(world: World) -> tuple[Node, Node] | None:
    """The thread as it waits for the request, and that; once it was read while it slept."""
    look = world.look()
    requests, threads = look.of(NodeKind.REQUEST), [one for one in look.of(NodeKind.THREAD) if one.name == "order"]
    if len(requests) != 1 or len(threads) != 1 or threads[0].wait is None or not threads[0].steps:
        return None
    needs = [edge.dst for edge in look.edges(threads[0].id) if edge.kind is EdgeKind.NEEDS]
    return (threads[0], requests[0]) if needs == [requests[0].id] else None


@pytest.mark.parametrize("timeout_s", [None, 60.0])
@pytest.mark.parametrize("by_future", [False, True])
def test_it_waits_since_it_has_called_and_until_its_deadline(timeout_s: float | None, by_future: bool) -> None:
    world = World()

    def call(method: Any) -> object:
        if by_future:
            return method.future(b"", wait_for_ready=True, timeout=timeout_s).result()
        return method(b"", wait_for_ready=True, timeout=timeout_s)

    with calling(world, call):
        first, request = eventually(lambda: _waiting(world), "the thread waits for its request")
        steps = first.steps
        for _ in range(30):  # some of them while it is awake
            again = _waiting(world)
            assert again is not None
            assert again[0].wait == first.wait
            assert again[0].steps == steps  # it has not gone on
        wait = first.wait
        assert wait is not None
        assert wait.operation == "request"
        if not by_future:
            assert wait.since_ns == request.created_at
        if timeout_s is None:
            assert wait.deadline_ns is None
        else:
            assert abs((wait.deadline_ns or 0) - request.created_at - _MINUTE_NS) < _MINUTE_NS / 6


def test_the_next_call_is_another_wait() -> None:
    world = World()
    with calling(world, lambda method: method(b"", wait_for_ready=True), times=2) as go_on:
        first, request = eventually(lambda: _waiting(world), "the thread waits for its request")
        go_on.set()
        go_on.clear()

        def later() -> tuple[Node, Node] | None:
            found = _waiting(world)
            return found if found is not None and found[1].id != request.id else None

        second, next_request = eventually(later, "it waits for the next one")
        assert first.wait is not None
        assert second.wait is not None
        assert second.wait.since_ns == next_request.created_at > first.wait.since_ns
