# SPDX-License-Identifier: Apache-2.0
"""Whether this process listens on a socket: then somebody outside may start something in it at any time, also in a
server whose threads are not Python's (gRPC). And whether any thread would learn of that: a socket that is left over,
with nobody at it, brings nobody. From Linux's `/proc`; where that cannot be read the answer is yes."""

from __future__ import annotations

import os
import re
from threading import get_native_id

from . import versions
from .thread import known_threads, system_call

CHECKED_ON = versions.on("CPython")
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_LISTENS = "0A"  # state of a TCP socket
_ACCEPTS = 1 << 16  # flag of a Unix socket
_FILES_MOST = 65_536
_THREADS_MOST = 500
_OURS = "peeps-"
_UNKNOWN = -1
_X86 = os.uname().machine == "x86_64"
_ANY = frozenset({426} | ({7, 271, 23, 270} if _X86 else {73, 72}))
"""Numbers of the system calls in which a thread may learn of a connection: io_uring_enter, poll, ppoll, select,
pselect6."""
_ACCEPT = frozenset({43, 288} if _X86 else {202, 242})
_EPOLL = frozenset({441} | ({232, 281} if _X86 else {22}))
_INFO_MOST = 1_000_000  # bytes of what an epoll watches


def listens() -> bool:
    """Blocks for as long as the kernel takes to list the sockets of the network namespace: milliseconds."""
    return bool(_listeners())


def accepts() -> bool:
    """The same, and a thread is in a call that would tell it of a connection, or in none: one that waits for something
    else does not come to accept before that ends. As `listens`, and some microseconds for each thread."""
    listeners = _listeners()
    if not listeners or _UNKNOWN in listeners:
        return bool(listeners)
    ours = {get_native_id()}
    ours |= {one.native_id for one in known_threads().values() if one.native_id and one.name.startswith(_OURS)}
    try:
        threads = [int(name) for name in os.listdir("/proc/self/task")]
    except (OSError, ValueError):
        return True
    if len(threads) > _THREADS_MOST:
        return True
    return any(_learns(system_call(one), listeners) for one in threads if one not in ours)


def _learns(call: tuple[int, int] | None, listeners: set[int]) -> bool:
    """Whether a thread in this system call may learn of a connection to one of these descriptors."""
    if call is None:
        return True
    number, fd = call
    if number in _EPOLL:
        return not listeners.isdisjoint(_watched_by(fd, listeners))
    return number in _ANY or (number in _ACCEPT and fd in listeners)


def _watched_by(epoll: int, listeners: set[int]) -> set[int]:
    """The descriptors that it watches; all of them where that is not told, or another epoll is among them."""
    try:
        with open(f"/proc/self/fdinfo/{epoll}", encoding="ascii", errors="replace") as file:
            rows = [line.split() for line in file.read(_INFO_MOST).splitlines() if line.startswith("tfd:")]
        watched = {int(row[1]) for row in rows}
        nested = any(os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:[eventpoll]" for fd in watched)
    except (OSError, ValueError, IndexError):
        return listeners
    return listeners if nested else watched


def _listeners() -> set[int]:
    """The descriptors of this process that listen; a number that is none where that cannot be read."""
    try:
        own = _own_sockets()
        listening = _listening_tcp() | _listening_unix() if own else set[str]()
        return {fd for fd, inode in own.items() if inode in listening}
    except (OSError, ValueError, IndexError):
        return {_UNKNOWN}


def _own_sockets() -> dict[int, str]:
    found: dict[int, str] = {}
    for name in os.listdir("/proc/self/fd")[:_FILES_MOST]:
        try:
            match = _SOCKET.fullmatch(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
        if match is not None:
            found[int(name)] = match[1]
    return found


def _listening_tcp() -> set[str]:
    found: set[str] = set()
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        if not os.path.exists(table):
            continue
        with open(table, encoding="ascii") as lines:
            next(lines, None)
            found.update(fields[9] for fields in map(str.split, lines) if fields[3] == _LISTENS)
    return found


def _listening_unix() -> set[str]:
    with open("/proc/self/net/unix", encoding="utf-8", errors="replace") as lines:
        next(lines, None)
        return {fields[6] for fields in map(str.split, lines) if int(fields[3], 16) & _ACCEPTS}
