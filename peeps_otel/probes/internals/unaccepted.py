# SPDX-License-Identifier: Apache-2.0
"""Connections within this host that the kernel has made and nobody has accepted yet, and whose they are to accept.

Read from Linux's tables of connections; nothing is said where anything is unclear.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio import base_events
from collections.abc import Iterable, Iterator
from typing import Any, cast

from . import versions
from .asyncio_io import field, joined
from .end_names import EndNames, address_of, also_open_in
from .loop import thread_of
from .process_files import links

CHECKED_ON = versions.on("CPython")

_TABLES = ("/proc/self/net/tcp", "/proc/self/net/tcp6")
_TABLE_MOST = 4_000_000  # bytes
_FILES_MOST = 4096
_ESTABLISHED, _LISTENS = b"01", b"0A"
_ANY = ("0.0.0.0", "::")
_NOBODYS = b"0"


def own_listener(names: EndNames) -> int | None:
    """The descriptor of the socket of this process, and of no other, by which the other end of this connection is still
    to be accepted. Takes milliseconds where there are thousands of connections."""
    own, separator, other = names.here.partition("/tcp/")[2].partition(">")
    if not separator:
        return None
    is_accepted, listening = True, list[str]()
    for local, remote, state, inode in _rows():
        if state == _ESTABLISHED and (local, remote) == (other, own):
            is_accepted = inode != _NOBODYS
        elif state == _LISTENS and _takes(local, other):
            listening.append(f"socket:[{inode.decode()}]")
    if is_accepted or len(listening) != 1:
        return None
    fd = next((fd for fd, link in links("self", _FILES_MOST) if link == listening[0]), None)
    return None if fd is None or also_open_in(EndNames("", "", listening[0])) else fd


def loop_that_accepts(fd: int, loops: Iterable[asyncio.AbstractEventLoop]) -> int | None:
    """The ident of the thread whose loop watches this descriptor; None where none does that can be read."""
    for loop in loops:
        if issubclass(type(loop), base_events.BaseEventLoop):
            watched: object = field(field(loop, "_selector"), "_fd_to_key")
            if type(watched) is dict and fd in cast("dict[int, Any]", watched):
                return thread_of(loop)
    return None


def listens_at(server: object) -> int | None:
    """The descriptor by which a server of `socketserver` accepts, which is never imported for that."""
    kind: object = vars(sys.modules.get("socketserver", sys)).get("BaseServer")
    sock: Any = field(server, "socket") if isinstance(kind, type) and issubclass(type(server), kind) else None
    return socket.socket.fileno(sock) if issubclass(type(sock), socket.socket) else None


def _rows() -> Iterator[tuple[str, str, bytes, bytes]]:
    for table in _TABLES:
        try:
            with open(table, "rb") as lines:
                rows = lines.read(_TABLE_MOST).splitlines()[1:]
        except OSError:
            continue
        for fields in map(bytes.split, rows):
            if len(fields) > 9 and fields[3] in (_ESTABLISHED, _LISTENS):
                yield joined(*address_of(fields[1])), joined(*address_of(fields[2])), fields[3], fields[9]


def _takes(listener: str, address: str) -> bool:
    host, _, port = listener.rpartition(":")
    return listener == address or (host.strip("[]") in _ANY and port == address.rpartition(":")[2])
