# SPDX-License-Identifier: Apache-2.0
"""Connections within this host whose other end is this very process's: to accept, or to answer.

Read from Linux's tables of connections; nothing is said where anything is unclear.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio import base_events
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from . import versions
from .asyncio_io import field, joined
from .end_names import EndNames, address_of, also_open_in, of_addresses
from .loop import thread_of
from .process_files import links

CHECKED_ON = versions.on("CPython")

_TABLES = ("/proc/self/net/tcp", "/proc/self/net/tcp6")
_TABLE_MOST = 4_000_000  # bytes
_FILES_MOST = 4096
_ESTABLISHED, _LISTENS = b"01", b"0A"
_ANY = ("0.0.0.0", "::")
_NOBODYS = "socket:[0]"


class Unaccepted(NamedTuple):
    """`listener`: the descriptor of the socket of this process, and of no other, by which it is to be accepted; None
    where that is not so."""

    listener: int | None


def of(names: EndNames) -> Unaccepted | None:
    """Of a connection, by its end here; None where somebody has accepted it, or that is not known. Takes milliseconds
    where there are thousands of connections."""
    own, separator, other = names.here.partition("/tcp/")[2].partition(">")
    if not separator:
        return None
    rows = list(_rows())
    if not any((row.local, row.remote) == (other, own) for row in rows if _is_nobodys(row)):
        return None
    listening = [row for row in rows if row.state == _LISTENS and _takes(row.local, other)]
    links_here = {link: fd for fd, link in links("self", _FILES_MOST)} if len(listening) == 1 else {}
    link = listening[0].link if listening else ""
    return Unaccepted(None if link not in links_here or _is_shared(link) else links_here[link])


def own_service(names: EndNames) -> str:
    """`host:port` where the other end of a connection is this process's: it has that end, or, where nobody has accepted
    it, a socket that listens there, perhaps with others. Empty for any other. Takes as long as `of`."""
    own, separator, other = names.here.partition("/tcp/")[2].partition(">")
    if not separator:
        return ""
    rows = list(_rows())
    far = next((row for row in rows if row.state == _ESTABLISHED and (row.local, row.remote) == (other, own)), None)
    if far is None:
        return ""
    takers = {row.link for row in rows if row.state == _LISTENS and _takes(row.local, other)}
    wanted = takers if _is_nobodys(far) else {far.link}
    return other if any(link in wanted for _, link in links("self", _FILES_MOST)) else ""


def to_accept() -> Iterator[tuple[EndNames, int]]:
    """The connections that wait to be accepted by one socket of this process, and of no other: the end that it will
    have, with what that socket's descriptor leads to, and the descriptor."""
    rows = list(_rows())
    nobodys = [row for row in rows if _is_nobodys(row)]
    listening = [row for row in rows if row.state == _LISTENS]
    links_here = {link: fd for fd, link in links("self", _FILES_MOST)} if nobodys else {}
    for row in nobodys:
        takers = [one.link for one in listening if _takes(one.local, row.local)]
        names = of_addresses(row.local, row.remote)
        if len(takers) == 1 and takers[0] in links_here and names is not None and not _is_shared(takers[0]):
            yield EndNames(*names, takers[0]), links_here[takers[0]]


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


class _Row(NamedTuple):
    """Of the kernel's tables. Addresses as `host:port`; `link`: what a descriptor of it leads to."""

    local: str
    remote: str
    state: bytes
    link: str


def _rows() -> Iterator[_Row]:
    for table in _TABLES:
        try:
            with open(table, "rb") as lines:
                rows = lines.read(_TABLE_MOST).splitlines()[1:]
        except OSError:
            continue
        for fields in map(bytes.split, rows):
            if len(fields) > 9 and fields[3] in (_ESTABLISHED, _LISTENS):
                local, remote = (joined(*address_of(one)) for one in fields[1:3])
                yield _Row(local, remote, fields[3], f"socket:[{fields[9].decode()}]")


def _is_nobodys(row: _Row) -> bool:
    """Whether the kernel has made the connection and no process has it yet."""
    return row.state == _ESTABLISHED and row.link == _NOBODYS


def _is_shared(link: str) -> bool:
    """Whether another process of the family has this socket open too, as prefork workers have."""
    return bool(also_open_in(EndNames("", "", link)))


def _takes(listener: str, address: str) -> bool:
    host, _, port = listener.rpartition(":")
    return listener == address or (host.strip("[]") in _ANY and port == address.rpartition(":")[2])
