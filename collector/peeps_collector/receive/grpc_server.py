# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
"""OTLP/gRPC: the three unary `Export` methods, bytes in and bytes out. Messages are decoded on another thread."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import grpc
from grpc import aio

from .encoding import encode_response
from .queue import Encoding, Outcome, Signal

_METHODS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
}


class Intake(Protocol):
    """Where received requests go."""

    def submit(self, signal: Signal, encoding: Encoding, body: bytes) -> asyncio.Future[Outcome] | None:
        """None where the queue is full. Called on the event loop."""
        ...


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, intake: Intake, limit: int) -> None:
        self._intake = intake
        self._limit = limit

    def service(self, handler_call_details: Any) -> Any:
        signal = _METHODS.get(handler_call_details.method)
        if signal is None:
            return None  # gRPC answers UNIMPLEMENTED

        async def export(body: bytes, context: Any) -> bytes:
            # Not every version of the library looks again after decompression.
            if len(body) > self._limit:
                await context.abort(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"the request is larger than {self._limit} bytes; send smaller batches",
                )
            answer = self._intake.submit(signal, Encoding.PROTOBUF, body)
            if answer is None:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the collector's queue is full; retry later")
                raise AssertionError  # abort raises; this is for the type checker
            outcome = await answer
            if outcome.undecodable:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, outcome.message)
            return encode_response(signal, Encoding.PROTOBUF, outcome)

        return grpc.unary_unary_rpc_method_handler(export)


class GrpcServer:
    """An OTLP/gRPC server on an internal endpoint. All methods on the event loop."""

    def __init__(self, intake: Intake, limit: int) -> None:
        self._intake = intake
        self._limit = limit
        self._server: Any = None

    async def start(self, target: str) -> int:
        """`target`: `unix:/path` or `host:port`. Returns the port, 1 for a Unix socket."""
        # Not before: the library takes the event loop that runs when the object is made.
        self._server = aio.server(options=[("grpc.max_receive_message_length", self._limit), ("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_Handlers(self._intake, self._limit),))
        port: int = self._server.add_insecure_port(target)
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Waits up to a second for requests that are being answered."""
        if self._server is not None:
            await self._server.stop(1.0)
