# SPDX-License-Identifier: Apache-2.0
"""What a living span says of its call: which method, with whom, and under which trace context.

Read again at each look, for attributes arrive late. Never read: statuses, which instrumentations set before they know
(gRPC's is 0 from the start), statements of databases, queries of URLs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .. import semconv
from ..model import AttributeValue

_LONG = 200
_WEBSOCKET = frozenset({"ws", "wss"})


def method_of(name: str, attributes: Mapping[str, Any]) -> str:
    """`GET /orders`, `shop.Orders/Take`, `publish orders`; the span's name for everything else."""
    http = _text(attributes, "http.request.method", "http.method")
    if http:
        path = _text(attributes, "http.route") or path_of(attributes)
        return f"{http} {path}"[:_LONG] if path else http
    service, call = _text(attributes, "rpc.service"), _text(attributes, "rpc.method")
    if call:
        return (f"{service}/{call}" if service and "/" not in call else call)[:_LONG]
    topic = _text(attributes, "messaging.destination.name", "messaging.destination")
    if topic:
        what = _text(attributes, "messaging.operation.name", "messaging.operation.type", "messaging.operation")
        return f"{what or 'message'} {topic}"[:_LONG]
    return name[:_LONG]


def path_of(attributes: Mapping[str, Any]) -> str:
    """The path of a URL, without its query."""
    path = _text(attributes, "url.path")
    return path or _split(_text(attributes, "url.full", "http.url", "http.target")).path


def peer_of(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """The address and port of the server, by OpenTelemetry's names; what is not known is absent."""
    url = _text(attributes, "url.full", "http.url")
    parts = _split(url)
    found: dict[str, AttributeValue] = {}
    address = _text(attributes, "server.address", "net.peer.name", "net.peer.ip", "peer.service") or parts.hostname
    if address:
        found[semconv.SERVER_ADDRESS] = address[:_LONG]
    port = _number(attributes, "server.port", "net.peer.port") or _port(url)
    if port:
        found[semconv.SERVER_PORT] = port
    return found


def caller_of(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """The address of the client, as the server's span has it."""
    address = _text(attributes, "client.address", "net.sock.peer.addr", "net.peer.ip", "net.peer.name")
    return {semconv.CLIENT_ADDRESS: address[:_LONG]} if address else {}


def over(attributes: Mapping[str, Any]) -> tuple[str, int, int] | None:
    """The connection on which a server was asked by HTTP, as its span has it: address and port of the client, its own
    port. None for a websocket, which belongs to whoever keeps it."""
    scheme = _text(attributes, "url.scheme", "http.scheme")
    if scheme in _WEBSOCKET or not _text(attributes, "http.request.method", "http.method"):
        return None
    address = _text(attributes, "client.address", "net.sock.peer.addr", "net.peer.ip")
    port = _number(attributes, "client.port", "net.sock.peer.port", "net.peer.port")
    own = _number(attributes, "server.port", "net.host.port")
    return (address, port, own) if address and port and own else None


def reached_at(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """The port of the server, as its own span has it."""
    port = _number(attributes, "server.port", "net.host.port")
    return {semconv.SERVER_PORT: port} if port else {}


def context_text(context: Any) -> str:
    """Trace id and span id as one word: the same at both ends of a call."""
    return f"{context.trace_id:032x}-{context.span_id:016x}"


def _text(attributes: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = attributes.get(name)
        if type(value) is str and value:
            return value
    return ""


def _number(attributes: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = attributes.get(name)
        if type(value) is int:
            return value
        if type(value) is str and value.isdecimal():  # gRPC's server writes it so
            return int(value)
    return None


def _split(url: str) -> Any:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _port(url: str) -> int | None:
    parts = _split(url)
    try:
        return parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
