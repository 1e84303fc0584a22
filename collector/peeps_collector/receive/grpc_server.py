# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
"""OTLP/gRPC: the three unary `Export` methods, bytes in and bytes out. Messages are decoded on another thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import aio

from ..access import refusal_of
from ..requests_out import HEADER
from .encoding import encode_response
from .request import NO_PROFILES, RETRY_AFTER_S, Budget, Encoding, Outcome, Signal

_METHODS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
}
_PROFILES = "/opentelemetry.proto.collector.profiles."
_STREAMS_MOST = 100  # fewer are against the advice of RFC 9113: a client may begin so many before it is told


class Intake(Protocol):
    """Where received requests go. `budget`: of the bytes that are received and not answered."""

    @property
    def budget(self) -> Budget: ...

    def submit(self, signal: Signal, encoding: Encoding, body: bytes, sender: str) -> Awaitable[Outcome]:
        """The answer to come. Called on the event loop; the bytes of `body` have been taken from the budget, and are
        given back by who answers. `sender`: the connection, whose requests are kept in order."""
        ...


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, intake: Intake, limit: int, received: Callable[[str, int], None], token: str) -> None:
        self._intake = intake
        self._limit = limit
        self._received = received
        self._token = token

    def service(self, handler_call_details: Any) -> Any:
        signal = _METHODS.get(handler_call_details.method)
        if signal is None:
            # Of what is no method of ours at all gRPC itself says UNIMPLEMENTED.
            return _no_profiles() if handler_call_details.method.startswith(_PROFILES) else None
        shown = next((value for key, value in handler_call_details.invocation_metadata if key == "authorization"), "")
        refusal = refusal_of(shown.encode() if isinstance(shown, str) else shown, self._token)

        async def export(body: bytes, context: Any) -> bytes:
            sender: str = context.peer()
            self._received(sender, len(body))
            if refusal:
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, refusal)
            # Not every version of the library looks again after decompression.
            if len(body) > self._limit:
                await context.abort(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"the request is larger than {self._limit} bytes; send smaller batches",
                )
            if self._intake.budget.take(len(body)):
                outcome = await self._intake.submit(signal, Encoding.PROTOBUF, body, f"grpc {sender}")
            else:
                outcome = Outcome(retry=True, message="too many requests are being received; retry later")
            if outcome.retry:
                code = grpc.StatusCode.RESOURCE_EXHAUSTED if outcome.wait_s else grpc.StatusCode.UNAVAILABLE
                metadata = (("grpc-status-details-bin", _retry_info(code, outcome)),)
                await context.abort(code, outcome.message, metadata)
            if outcome.undecodable:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, outcome.message)
            if outcome.ask:
                context.set_trailing_metadata(((HEADER.decode(), outcome.ask),))
            return encode_response(signal, Encoding.PROTOBUF, outcome)

        return grpc.unary_unary_rpc_method_handler(export)


def _no_profiles() -> Any:
    async def refuse(_body: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, NO_PROFILES)
        return b""

    return grpc.unary_unary_rpc_method_handler(refuse)


def _retry_info(code: grpc.StatusCode, outcome: Outcome) -> bytes:
    """What makes a sender come again, and when."""
    details = AnyMessage()
    details.Pack(RetryInfo(retry_delay=Duration(seconds=outcome.wait_s or RETRY_AFTER_S)))
    number: int = code.value[0]
    return Status(code=number, message=outcome.message, details=[details]).SerializeToString()


class GrpcServer:
    """An OTLP/gRPC server on an internal endpoint. All methods on the event loop. `received` is told of each message,
    with the peer's name. `token`: what a sender must show, see access.py."""

    def __init__(
        self,
        intake: Intake,
        limit: int,
        received: Callable[[str, int], None] = lambda _peer, _size: None,
        token: str = "",
    ) -> None:
        self._intake = intake
        self._limit = limit
        self._received = received
        self._token = token
        self._server: Any = None

    async def start(self, target: str) -> int:
        """`target`: `unix:/path` or `host:port`. Returns the port, 1 for a Unix socket."""
        # Not before: the library takes the event loop that runs when the object is made.
        self._server = aio.server(
            options=[
                ("grpc.max_receive_message_length", self._limit),
                ("grpc.so_reuseport", 0),
                ("grpc.max_concurrent_streams", _STREAMS_MOST),
                ("grpc.max_metadata_size", 16 << 10),
            ]
        )
        self._server.add_generic_rpc_handlers((_Handlers(self._intake, self._limit, self._received, self._token),))
        port: int = self._server.add_insecure_port(target)
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Waits up to a second for requests that are being answered."""
        if self._server is not None:
            await self._server.stop(1.0)
