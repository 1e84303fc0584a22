# SPDX-License-Identifier: Apache-2.0
"""The two encodings of OTLP (protobuf, JSON) and its compressions, as functions from bytes to messages and back.

OTLP/JSON is the protobuf JSON mapping with one exception: trace and span ids are hexadecimal, not base64.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from typing import Any, cast

import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from .request import Encoding, Outcome, Signal

_REQUESTS: dict[Signal, type[Message]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
_IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8, "trace_id": 16, "span_id": 8, "parent_span_id": 8}


_AT_ONCE = 1 << 20


class Undecodable(ValueError):
    """The bytes are not what they claim to be; the sender must not retry."""


class TooLarge(ValueError):
    """Larger than the limit after decompression."""


class UnknownCompression(ValueError):
    """A Content-Encoding that is not supported."""


def decode_request(signal: Signal, encoding: Encoding, body: bytes) -> Message:
    """The request message. Raises Undecodable."""
    kind = _REQUESTS[signal]
    if encoding is Encoding.PROTOBUF:
        try:
            return kind.FromString(body)
        except DecodeError:
            raise Undecodable(f"the body ({len(body)} bytes) is not a {kind.DESCRIPTOR.full_name}") from None
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"the body is not JSON: {error}") from None
    if not isinstance(tree, dict):
        raise Undecodable("the body is not a JSON object")
    _ids_to_base64(cast("dict[str, Any]", tree))
    try:
        return json_format.ParseDict(cast("dict[str, Any]", tree), kind(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        raise Undecodable(f"the body is not the JSON of a {kind.DESCRIPTOR.full_name}: {error}") from None


def _ids_to_base64(root: dict[str, Any]) -> None:
    """In place. Iterative: the depth of the input is not ours to choose."""
    todo: list[Any] = [root]
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo.extend(cast("list[Any]", value))
        elif isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            for key, member in members.items():
                if isinstance(member, (dict, list)):
                    todo.append(member)
                elif isinstance(member, str) and key in _IDS and member:
                    try:
                        raw = bytes.fromhex(member)
                    except ValueError:
                        raise Undecodable(f"{key} is not hexadecimal: {member[:40]!r}") from None
                    if len(raw) != _IDS[key]:
                        raise Undecodable(f"{key} has {len(raw)} bytes, {_IDS[key]} expected: {member[:40]!r}")
                    members[key] = base64.b64encode(raw).decode()


def encode_response(signal: Signal, encoding: Encoding, outcome: Outcome) -> bytes:
    """The success response, with `partial_success` only where something was rejected or is worth a warning."""
    response: Message
    if signal is Signal.TRACES:
        traces = response = ExportTraceServiceResponse()
        if outcome.rejected or outcome.message:
            traces.partial_success.rejected_spans = outcome.rejected
            traces.partial_success.error_message = outcome.message
    elif signal is Signal.METRICS:
        metrics = response = ExportMetricsServiceResponse()
        if outcome.rejected or outcome.message:
            metrics.partial_success.rejected_data_points = outcome.rejected
            metrics.partial_success.error_message = outcome.message
    else:
        logs = response = ExportLogsServiceResponse()
        if outcome.rejected or outcome.message:
            logs.partial_success.rejected_log_records = outcome.rejected
            logs.partial_success.error_message = outcome.message
    return _encode(response, encoding)


def encode_status(encoding: Encoding, code: int, message: str) -> bytes:
    """A `google.rpc.Status`, the body of every OTLP/HTTP error. `code`: a gRPC status code."""
    return _encode(Status(code=code, message=message), encoding)


def _encode(message: Message, encoding: Encoding) -> bytes:
    if encoding is Encoding.PROTOBUF:
        return message.SerializeToString()
    return orjson.dumps(json_format.MessageToDict(message))


class Inflater:
    """Undoes `identity`, `gzip` or `deflate`, piece by piece, and stops at `limit` bytes: a small body cannot fill
    the memory. Not thread-safe."""

    def __init__(self, compression: str, limit: int) -> None:
        """Raises UnknownCompression."""
        name = compression.strip().lower() or "identity"
        if name not in {"identity", "gzip", "deflate"}:
            raise UnknownCompression(
                f"Content-Encoding {compression!r} is not supported: use gzip, deflate or identity"
            )
        # 32 + 15: gzip and zlib headers are told apart by zlib itself.
        self._inflate = None if name == "identity" else zlib.decompressobj(32 + 15)
        self._limit = limit
        self._size = 0
        self._pieces: list[bytes] = []

    def feed(self, piece: bytes) -> Iterator[int]:
        """Takes a piece in steps; yields what each has added, decompressed, at most a megabyte. Raises TooLarge,
        Undecodable."""
        if self._inflate is None:
            yield self._take(piece)
            return
        try:
            full = False
            # Zeros after the end are padding.
            while full or (piece.strip(b"\0") if self._inflate.eof else piece):
                if self._inflate.eof:  # a gzip body may have several members
                    self._inflate = zlib.decompressobj(32 + 15)
                most = min(self._limit - self._size + 1, _AT_ONCE)
                taken = self._take(self._inflate.decompress(piece, most))
                piece = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
                full = taken == most and not self._inflate.eof  # it may hold back more than it was given
                yield taken
        except zlib.error as error:
            raise Undecodable(f"the body cannot be decompressed: {error}") from None

    def finish(self) -> bytes:
        """The whole body. Raises Undecodable where the compressed stream is cut off."""
        if self._inflate is not None and self._pieces and not self._inflate.eof:
            raise Undecodable("the compressed body ends too early")
        return b"".join(self._pieces)

    def _take(self, piece: bytes) -> int:
        self._size += len(piece)
        if self._size > self._limit:
            raise TooLarge(f"the request is larger than {self._limit} bytes; send smaller batches")
        self._pieces.append(piece)
        return len(piece)
