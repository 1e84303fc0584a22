# SPDX-License-Identifier: Apache-2.0
"""How many bytes stand in a transport's buffer, in a socket's queues and in a pipe. Asks the kernel, changes nothing.

None where it cannot be told: another system than Linux, a closed descriptor, a transport of another kind.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
from array import array
from collections import deque
from typing import Any, cast

from . import versions
from .asyncio_io import Descriptor, Endpoint, field, is_transport, socket_endpoint, transport_endpoint

CHECKED_ON = versions.on("CPython", "uvloop")

_UNSENT = getattr(termios, "TIOCOUTQ", None)
_WAITING = getattr(termios, "FIONREAD", None)
_PIPE_SIZE = getattr(fcntl, "F_GETPIPE_SZ", 1032)
_ATOMIC = 4096  # a write of less is whole or not at all: a pipe with less room is full
_TABLE_MOST = 4_000_000  # bytes of the kernel's table of connections
_INNER_MOST = 3


def unsent(thing: Any) -> int | None:
    """Of a transport or a socket: what was written and the other end has not taken, in bytes."""
    buffered = _buffered(thing) if is_transport(thing) else 0
    fd = endpoint(thing).fd
    if buffered is None or fd is None:
        return buffered
    below = waiting(fd) if is_pipe(fd) else _ask(fd, _UNSENT)
    return buffered if below is None else buffered + below


def endpoint(thing: Any) -> Endpoint:
    if is_transport(thing):
        return transport_endpoint(thing)
    if type(thing) is Descriptor:
        return Endpoint(thing.fd, None, None, None)
    return socket_endpoint(thing) if issubclass(type(thing), socket.socket) else Endpoint(None, None, None, None)


def waiting(fd: int) -> int | None:
    """What can be read from a socket, or stands in a pipe."""
    return _ask(fd, _WAITING)


def in_flight(fd: int) -> int | None:
    """What was written to a descriptor and has not arrived at, or not been read from, the other end."""
    return waiting(fd) if is_pipe(fd) else _ask(fd, _UNSENT)


def is_pipe(fd: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:")
    except OSError:
        return False


def is_full(fd: int) -> bool:
    """Whether who writes into this pipe waits until somebody reads it."""
    held = waiting(fd)
    try:
        size = fcntl.fcntl(fd, _PIPE_SIZE)
    except OSError:
        return False
    return held is not None and held > size - _ATOMIC


def received(local: str, peer: str) -> int | None:
    """What waits to be read at the end of a TCP connection on this host whose addresses are these, `host:port` for
    IPv4; whatever process has it. Takes as long as the kernel needs to list its connections."""
    ends = (_hexadecimal(local), _hexadecimal(peer))
    if None in ends:
        return None
    try:
        with open("/proc/self/net/tcp", "rb") as table:
            text = table.read(_TABLE_MOST)
    except OSError:
        return None
    at = text.find(f" {ends[0]} {ends[1]} ".encode())
    if at < 0:
        return None
    fields = text[at : at + 80].split()
    return int(fields[3].partition(b":")[2], 16)


def _hexadecimal(address: str) -> str | None:
    """`127.0.0.1:80` as the kernel writes it: `0100007F:0050`."""
    host, _, port = address.rpartition(":")
    try:
        (number,) = struct.unpack("=I", socket.inet_aton(host))
        return f"{number:08X}:{int(port):04X}"
    except (OSError, ValueError):
        return None


def _ask(fd: int, what: int | None) -> int | None:
    if what is None:
        return None
    answer = array("i", [0])
    try:
        fcntl.ioctl(fd, what, answer, True)
    except OSError:
        return None
    return answer[0]


def _buffered(transport: Any) -> int | None:
    """What a transport has not been able to give to the kernel, encryption included."""
    total: int | None = None
    for _ in range(_INNER_MOST):
        own = _in_buffer(transport)
        if own is not None:
            total = own + (total or 0)
        protocol = field(transport, "_ssl_protocol")
        inner = field(protocol, "_transport")
        if inner is None:
            return total
        waiting_to_encrypt = field(protocol, "_write_buffer_size")
        if type(waiting_to_encrypt) is int:
            total = waiting_to_encrypt + (total or 0)
        transport = inner
    return total


def _in_buffer(transport: Any) -> int | None:
    buffer: object = field(transport, "_buffer")
    if type(buffer) is bytearray:
        return len(buffer)
    if type(buffer) is deque:
        parts = list(cast("deque[bytes]", buffer))
        return sum(len(part) for part in parts if type(part) in (bytes, bytearray, memoryview))
    if type(transport).__module__ == "uvloop.loop":
        try:
            return transport.get_write_buffer_size()  # written in C
        except Exception:
            return None
    return None
