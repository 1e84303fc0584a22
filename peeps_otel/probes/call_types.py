# SPDX-License-Identifier: Apache-2.0
"""A call as a server of a library has it in its hands while it answers: over which connection it came, and what is
asked.

So who answers is known also where no instrumentation has made a span of the call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast


class CallInHand(NamedTuple):
    """`client`, `port`: where it came from; `server_port`: where it was accepted. `method`: `GET /x`, without its
    query."""

    client: str
    port: int
    server_port: int
    method: str


class CallType(NamedTuple):
    """Objects of `cls` in a live function stand for a call that is being answered. `read`: by stored values alone; None
    where this one is over, or does not tell."""

    cls: type[Any]
    read: Callable[[Any], CallInHand | None]


def call_in_hand(client: object, server: object, method: object, path: object) -> CallInHand | None:
    """Of the addresses of both ends, as sockets tell them, and what is asked; None where one of them is none."""
    host, port = _address(client)
    _, server_port = _address(server)
    if type(method) is not str or type(path) is not str or not (host and port and server_port):
        return None
    return CallInHand(host, port, server_port, f"{method} {path.partition('?')[0]}")


def _address(told: object) -> tuple[str, int]:
    if type(told) is not tuple:
        return "", 0
    host, port = (*cast("tuple[object, ...]", told), None, None)[:2]
    return (host, port) if type(host) is str and type(port) is int else ("", 0)
