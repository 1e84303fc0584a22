# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
"""How one request gets to a backend: OTLP/HTTP or OTLP/gRPC."""

from __future__ import annotations

import email.utils
import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from .receive.encoding import decode_request
from .receive.request import Encoding, Signal

_TIMEOUT_S = 10.0
_RETRY = frozenset({429, 502, 503, 504})
_RETRY_GRPC = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""As the specification of OTLP has them; RESOURCE_EXHAUSTED only with a RetryInfo."""
_SERVICES = {Signal.TRACES: "trace.v1.Trace", Signal.METRICS: "metrics.v1.Metrics", Signal.LOGS: "logs.v1.Logs"}
_LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Item:
    """One request as it goes on."""

    signal: Signal
    encoding: Encoding
    body: bytes


class NotTaken(Exception):
    """`wait_s`: how long the backend wants to be left alone before it is tried again; None: it is not tried again."""

    def __init__(self, why: str, wait_s: float | None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class Transport(Protocol):
    """Belongs to one thread."""

    def send(self, item: Item) -> None:
        """Raises NotTaken."""
        ...


def transport_to(url: str, headers: Mapping[str, str]) -> Transport:
    """`url`: http://, https://, grpc:// (without TLS) or grpcs://."""
    parts = urlsplit(url)
    return GrpcTransport(parts, headers) if parts.scheme in {"grpc", "grpcs"} else HttpTransport(parts, headers)


class HttpTransport:
    """In the encoding it came in."""

    def __init__(self, parts: SplitResult, headers: Mapping[str, str]) -> None:
        self._parts = parts
        self._headers = dict(headers)
        self._connection: http.client.HTTPConnection | None = None

    def send(self, item: Item) -> None:
        path = f"{self._parts.path.rstrip('/')}/v1/{item.signal.value}"
        try:
            if self._connection is None:
                self._connection = _connection(self._parts)
            headers = self._headers | {"content-type": item.encoding.value}
            self._connection.request("POST", path, item.body, headers)
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            raise NotTaken(f"{type(error).__name__}: {error}", 0.0) from None
        if response.status in _RETRY:
            raise NotTaken(f"{response.status} {response.reason}", _seconds(response.headers.get("retry-after")))
        if response.status >= 300:
            raise NotTaken(f"{response.status} {response.reason}: not tried again", None)


class GrpcTransport:
    """What came as JSON goes on as protobuf."""

    def __init__(self, parts: SplitResult, headers: Mapping[str, str]) -> None:
        self._parts = parts
        self._metadata = tuple((key.lower(), value) for key, value in headers.items())
        self._channel: Any = None

    def send(self, item: Item) -> None:
        body = item.body
        if item.encoding is Encoding.JSON:
            body = decode_request(item.signal, item.encoding, body).SerializeToString()
        service = f"/opentelemetry.proto.collector.{_SERVICES[item.signal]}Service/Export"
        try:
            if self._channel is None:
                self._channel = self._open()
            self._channel.unary_unary(service)(body, timeout=_TIMEOUT_S, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _not_taken(error) from None

    def _open(self) -> Any:
        parts = self._parts
        assert parts.hostname is not None
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        target = f"{host}:{parts.port or 4317}"
        if parts.scheme == "grpc":
            return grpc.insecure_channel(target)
        return grpc.secure_channel(target, grpc.ssl_channel_credentials())


def _not_taken(error: Any) -> NotTaken:
    code: grpc.StatusCode = error.code()
    why = f"{code.name}: {error.details()}"
    wait_s = _retry_delay(error)
    if code in _RETRY_GRPC or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and wait_s is not None):
        return NotTaken(why, min(wait_s or 0.0, _LONGEST_S))
    return NotTaken(f"{why}: not tried again", None)


def _retry_delay(error: Any) -> float | None:
    """Of a RetryInfo, in seconds; None where there is none."""
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if details is None:
        return None
    try:
        for detail in Status.FromString(details).details:
            info = RetryInfo()
            if detail.Unpack(info):
                return float(info.retry_delay.seconds) + info.retry_delay.nanos / 1e9
    except ValueError:
        return None
    return None


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    assert parts.hostname is not None
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S, context=context)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)


def _seconds(retry_after: str | None) -> float:
    """Of a `Retry-After`, which is a number or a date; at most ten minutes."""
    if retry_after is None:
        return 0.0
    if retry_after.strip().isdecimal():
        return min(float(retry_after), _LONGEST_S)
    try:
        return min(max(email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0), _LONGEST_S)
    except (ValueError, TypeError):
        return 0.0
