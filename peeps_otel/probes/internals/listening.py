# SPDX-License-Identifier: Apache-2.0
"""Whether this process listens on a socket: then somebody outside may start something in it at any time, also in a
server whose threads are not Python's (gRPC). From Linux's `/proc`; where that cannot be read the answer is yes."""

from __future__ import annotations

import os
import re

from . import versions

CHECKED_ON = versions.on("CPython")
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_LISTENS = "0A"  # state of a TCP socket
_ACCEPTS = 1 << 16  # flag of a Unix socket
_FILES_MOST = 65_536


def listens() -> bool:
    """Blocks for as long as the kernel takes to list the sockets of the network namespace: milliseconds."""
    try:
        own = _own_sockets()
        return bool(own) and not own.isdisjoint(_listening_tcp() | _listening_unix())
    except (OSError, ValueError, IndexError):
        return True


def _own_sockets() -> set[str]:
    found: set[str] = set()
    for name in os.listdir("/proc/self/fd")[:_FILES_MOST]:
        try:
            match = _SOCKET.fullmatch(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
        if match is not None:
            found.add(match[1])
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
