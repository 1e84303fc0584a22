# SPDX-License-Identifier: Apache-2.0
"""Calls that stay open on purpose: long polls, streams of events, subscriptions, consumers of queues.

Nobody declares them; they are known by their method, by the functions of their client, and by the channels that belong
to them. One that is taken for such a call wrongly is not told of, which is the smaller harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set

from .. import semconv
from ..model import Node

_WORDS = re.compile(
    r"poll|watch|subscri|stream|event|listen|receive|consum|notif|updates|changes|socket|tail|follow|feed|live|wait",
    re.IGNORECASE,
)
_REDIS = re.compile(r"\b(?:B[LRZ]\w+|XREAD\w*|WAIT\w*|[PS]?SUBSCRIBE|MONITOR|PSYNC|SYNC)\b", re.IGNORECASE)
"""The commands of Redis that block until there is something."""
_STREAM = re.compile(r"stream", re.IGNORECASE)


def stays_open(request: Node, waiter: Node, streams: Set[object]) -> bool:
    """Whether `request`, for which `waiter` waits, may be open for as long as anybody likes. `streams`: see
    `stream_connections`."""
    method = request.attributes.get(semconv.METHOD)
    text = method if isinstance(method, str) else request.name
    scope = str(request.attributes.get(semconv.RPC_SCOPE, ""))
    if _WORDS.search(text) or ("redis" in scope and _REDIS.search(text)):
        return True
    return is_stream(waiter) or request.attributes.get(semconv.RPC_CONNECTION) in streams


def is_stream(end: Node) -> bool:
    """Whether who waits for a call, or handles it, is in a stream of gRPC, by the functions of that library."""
    return any(_STREAM.search(frame.function) for frame in end.stack if "grpc" in (frame.library or ""))


def is_remote_procedure(request: Node) -> bool:
    """Of HTTP or an RPC protocol (`GET /x`, `shop.Orders/Take`): statements of a database may take hours."""
    return "/" in str(request.attributes.get(semconv.METHOD, request.name))


def stream_connections(channels: Iterable[Node]) -> Set[object]:
    """The connections that some of these channels, of a provider, belong to."""
    own = (one.attributes for one in channels if semconv.CHANNEL_REQUEST in one.attributes)
    found = {attributes.get(semconv.RPC_CONNECTION) for attributes in own}
    return found.difference({None})
