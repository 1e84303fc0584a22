# SPDX-License-Identifier: Apache-2.0
"""The objects that have a descriptor: sockets, transports, files, connections of `multiprocessing`. Stored values are
read, no code of the program runs."""

from __future__ import annotations

import _io
import _socket
import sys
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from types import ModuleType
from typing import Any, cast

from . import versions
from .asyncio_io import is_transport_type, transport_endpoint
from .stdlib import attribute, number

CHECKED_ON = versions.on("CPython", "uvloop")


def found_by_descriptor(objects: Iterable[Any], wanted: AbstractSet[int]) -> dict[int, list[Any]]:
    """By descriptor, of those wanted: the objects among these that have it."""
    found: dict[int, list[Any]] = {}
    if not wanted:
        return found
    connection = _connection_type()
    known: dict[type[Any], int] = {}
    for one in objects:
        kind = cast("type[Any]", type(one))
        how = known.get(kind)
        if how is None:
            how = known[kind] = _how(kind, connection)
        fd = None if not how else _descriptor(one, how)
        if fd is not None and fd in wanted:
            found.setdefault(fd, []).append(one)
    return found


_SOCKET, _FILE, _TRANSPORT, _CONNECTION, _PSYCOPG = 1, 2, 3, 4, 5
_IN_C = ("psycopg_binary.", "psycopg_c.")


def _how(kind: type[Any], connection: type[Any] | None) -> int:
    if issubclass(kind, _socket.socket):
        return _SOCKET
    if issubclass(kind, _io.FileIO):
        return _FILE
    if is_transport_type(kind):
        return _TRANSPORT
    if connection is not None and issubclass(kind, connection):
        return _CONNECTION
    return _PSYCOPG if is_psycopg(kind) else 0


def _descriptor(one: Any, how: int) -> int | None:
    try:
        if how == _SOCKET:
            return _socket.socket.fileno(one)
        if how == _FILE:
            return _io.FileIO.fileno(one)
    except ValueError:  # closed
        return None
    if how == _PSYCOPG:
        return psycopg_descriptor(one)
    return transport_endpoint(one).fd if how == _TRANSPORT else number(one, "_handle")


def is_psycopg(kind: type[Any]) -> bool:
    base = vars(sys.modules.get("psycopg._connection_base", sys)).get("BaseConnection")
    return isinstance(base, type) and issubclass(kind, base)


def psycopg_descriptor(connection: Any) -> int | None:
    """Of an implementation in C."""
    fd = psycopg_in_c(connection, "socket")
    return fd if type(fd) is int else None


def psycopg_in_c(connection: Any, name: str) -> object:
    """What an implementation in C tells of its connection without running Python code; None where it is another."""
    connected = attribute(connection, "pgconn")
    if connected is None or not str(type(connected).__module__).startswith(_IN_C):
        return None
    try:
        return getattr(connected, name)
    except Exception:  # closed
        return None


def _connection_type() -> type[Any] | None:
    module = sys.modules.get("multiprocessing.connection")
    found = None if type(module) is not ModuleType else vars(module).get("_ConnectionBase")
    return cast("type[Any]", found) if isinstance(found, type) else None
