# SPDX-License-Identifier: Apache-2.0
"""Sockets, pipes and child processes behind asyncio's streams: private names of transports.

Addresses are those that asyncio itself has read when the connection was made, or the kernel's; no code of the program
runs. From any thread.
"""

from __future__ import annotations

import _socket
from asyncio import subprocess, transports
from collections.abc import Iterator
from gc import get_referents
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, NamedTuple, cast
from weakref import ref

from . import versions

CHECKED_ON = versions.on("CPython", "uvloop")

_PLAIN = (GetSetDescriptorType, MemberDescriptorType)
_ABSENT = object()
_TRANSPORTS = ("transport", "_transport")
_LEADING = (
    *("_protocol", "protocol", "_connection", "connection", "_conn"),
    *("_reader", "_writer", "_stream", "_stream_reader"),
)
DRAINS = frozenset({"drain", "_drain", "_drain_helper"})
"""Coroutine functions that wait until a transport has taken what was written."""


class Endpoint(NamedTuple):
    """One end of a connection. `peer`: host and port, or a path. Any of them may be unknown."""

    fd: int | None
    peer: str | None
    port: int | None
    local: str | None


class Descriptor:
    """A descriptor of which no object is shown. `link`: as `/proc` names it."""

    __slots__ = ("__weakref__", "fd", "link")

    def __init__(self, fd: int, link: str) -> None:
        self.fd, self.link = fd, link


def field(thing: object, name: str) -> Any:
    """An attribute that is stored in the object; None where it is missing or where reading it might run code."""
    for base in cast("tuple[type[object], ...]", type.__getattribute__(type(thing), "__mro__")):
        descriptor: object = vars(base).get(name, _ABSENT)
        if descriptor is not _ABSENT and hasattr(type(descriptor), "__get__") and type(descriptor) not in _PLAIN:
            return None
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None


def transport_of(thing: object) -> object | None:
    """The transport of a stream, a stream's protocol, or anything else of the kind; a transport itself as it is."""
    if is_transport(thing):
        return thing
    transport: object = field(thing, "_transport")
    return transport if is_transport(transport) else None


def protocol_of(transport: object) -> Any:
    return field(transport, "_protocol")


def clients_of(server: object) -> list[Any]:
    """The transports of a server's connections, from Python 3.13 on; none before, when it only counted them."""
    references: object = field(field(server, "_clients"), "data")  # of a `WeakSet`
    if type(references) is not set:
        return []
    clients: list[Any] = [one() for one in list(cast("set[Any]", references)) if issubclass(type(one), ref)]
    return [one for one in clients if one is not None]


def handler_of(transport: object) -> Any:
    """The task that handles a connection of `start_server`, as far as Python tells (from 3.12 on); None for others."""
    return field(protocol_of(transport), "_task")


def transports_near(thing: object) -> Iterator[object]:
    """The transports that a protocol, a client's connection or something of the kind has, by the usual names."""
    for near in (thing, *(field(thing, name) for name in _LEADING)):
        for transport in () if near is None else (near, *(field(near, name) for name in _TRANSPORTS)):
            if is_transport(transport):
                yield transport


def is_transport(thing: object) -> bool:
    return is_transport_type(type(thing))


def is_transport_type(kind: type[object]) -> bool:
    return issubclass(kind, transports.BaseTransport) or _is_uvloop_type(kind)


def is_open(transport: Any) -> bool:
    """Whether a transport is not being closed."""
    if _is_uvloop(transport):
        try:
            return not transport.is_closing()  # written in C
        except Exception:
            return False
    return field(transport, "_closing") is not True and field(transport, "_closed") is not True


def _is_uvloop(thing: object) -> bool:
    return _is_uvloop_type(type(thing))


def _is_uvloop_type(kind: type[object]) -> bool:
    return kind.__module__ == "uvloop.loop" and kind.__name__.endswith("Transport")


def transport_endpoint(transport: object) -> Endpoint:
    """Where a transport leads."""
    if _is_uvloop(transport):
        return _uvloop_endpoint(transport)
    inner = field(field(transport, "_ssl_protocol"), "_transport")  # TLS stands in front of the socket's transport
    extra: object = field(transport if inner is None else inner, "_extra")
    if type(extra) is not dict:
        return Endpoint(None, None, None, None)
    known = cast("dict[str, object]", extra)
    fd: object = field(transport if inner is None else inner, "_sock_fd")
    if type(fd) is not int:
        fd = field(transport, "_fileno")  # a pipe's
    return _endpoint(fd, known.get("peername"), known.get("sockname"))


def _uvloop_endpoint(transport: Any) -> Endpoint:
    """uvloop's transports are written in C, their `get_extra_info` too."""
    try:
        connection: Any = transport.get_extra_info("socket")
        fd = None if connection is None else connection.fileno()
        return _endpoint(fd, transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
    except Exception:  # closed in the meantime
        return Endpoint(None, None, None, None)


def socket_endpoint(connection: _socket.socket, wanted: object = None) -> Endpoint:
    """Where a socket leads; `wanted`: the address that it is being connected to."""
    fd = _socket.socket.fileno(connection)
    if fd < 0:
        return Endpoint(None, None, None, None)
    peer, local = wanted, None
    known = None if _told is None else _told.get(fd, (None, None))
    if known is not None:
        return _endpoint(fd, known[1] if peer is None else peer, known[0])
    if peer is None:
        try:
            peer = _socket.socket.getpeername(connection)
        except OSError:
            peer = None
    try:
        local = _socket.socket.getsockname(connection)
    except OSError:
        local = None
    return _endpoint(fd, peer, local)


_told: dict[int, tuple[object, object]] | None = None


def told_addresses(by_descriptor: dict[int, tuple[object, object]]) -> None:
    """In a copy of a process, which has none of its sockets: what `getsockname` and `getpeername` tell of each."""
    global _told
    _told = by_descriptor


def uvloop_socket(future: object) -> _socket.socket | None:
    """The socket that a `sock_...` call of uvloop waits for: its coroutine is written in C, its future is not."""
    kind = type(future)
    if kind.__module__ != "uvloop.loop" or not kind.__name__.startswith("_SyncSocket"):
        return None
    for referent in get_referents(future):
        is_dict = type(referent) is dict
        for thing in list(cast("dict[str, object]", referent).values()) if is_dict else [cast("object", referent)]:
            if issubclass(type(thing), _socket.socket):
                return cast("_socket.socket", thing)
    return None


def _endpoint(fd: object, peer: object, local: object) -> Endpoint:
    host, port = _address(peer)
    own, own_port = _address(local)
    return Endpoint(
        fd if type(fd) is int and fd >= 0 else None,
        host,
        port,
        own if own is None or own_port is None else joined(own, own_port),
    )


def _address(address: object) -> tuple[str | None, int | None]:
    """Of `(host, port, ...)` as for TCP and UDP, or a path as for Unix sockets."""
    if type(address) is str:
        return address or None, None
    if type(address) is tuple:
        parts = cast("tuple[object, ...]", address)
        if len(parts) in (2, 4) and type(parts[0]) is str and type(parts[1]) is int:
            return parts[0], parts[1]
    return None, None


def joined(host: str, port: int) -> str:
    """`127.0.0.1:80`, `[::1]:80`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def process_id(process: subprocess.Process) -> int | None:
    """The pid of a child process."""
    pid: object = field(process, "pid")
    return pid if type(pid) is int else None


def started_by(process: subprocess.Process) -> object:
    """The `subprocess.Popen` behind a child process, until all of its pipes are closed; None for uvloop's."""
    return field(field(process, "_transport"), "_proc")


def outputs_of(process: subprocess.Process) -> Iterator[int]:
    """The descriptors by which this process reads what a child prints, while their transports are open."""
    pipes: object = field(field(process, "_transport"), "_pipes")
    for number, protocol in list(cast("dict[int, object]", pipes).items()) if type(pipes) is dict else ():
        pipe: object = field(protocol, "pipe")
        fd = transport_endpoint(pipe).fd if number > 0 and is_transport(pipe) else None
        if fd is not None:
            yield fd
