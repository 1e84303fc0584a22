# SPDX-License-Identifier: Apache-2.0
"""Whether a process that reports to us listens at an address of this machine, by the names of the sockets in `/proc`.

Only for requests that nobody is seen to answer: it tells one that was never received from one that went to a process we
know nothing of. Other machines, other systems and other people's processes cannot be asked; then nothing is said.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection, Iterable

from .joins import Peer

_SOCKET = re.compile(r"socket:\[(\d+)\]")
_LISTENS = "0A"  # state of a TCP socket
_FILES_MOST = 65_536
_LOCAL = frozenset({"localhost", "::1", "0.0.0.0", "::", socket.gethostname().lower()})
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


def attached(peers: Collection[Peer], pids: Iterable[int]) -> dict[Peer, bool]:
    """For each of `peers` on this machine at which somebody listens: whether one of `pids` does. Blocks for as long as
    the kernel takes to list its sockets: milliseconds."""
    local = [peer for peer in peers if peer.address.lower() in _LOCAL or peer.address.startswith("127.")]
    if not local:
        return {}
    try:
        by_port = _listening()
    except (OSError, ValueError, IndexError):
        return {}
    wanted = [peer for peer in local if peer.port in by_port]
    if not wanted:
        return {}
    ours: set[str] = set()
    for pid in pids:
        ours |= _sockets_of(pid)
    return {peer: not by_port[peer.port].isdisjoint(ours) for peer in wanted}


def _listening() -> dict[int, set[str]]:
    """By port: the sockets that listen there."""
    found: dict[int, set[str]] = {}
    for table in _TABLES:
        if not os.path.exists(table):
            continue
        with open(table, encoding="ascii") as lines:
            next(lines, None)
            for fields in map(str.split, lines):
                if fields[3] == _LISTENS:
                    found.setdefault(int(fields[1].rpartition(":")[2], 16), set()).add(fields[9])
    return found


def _sockets_of(pid: int) -> set[str]:
    found: set[str] = set()
    try:
        names = os.listdir(f"/proc/{pid}/fd")[:_FILES_MOST]
    except OSError:
        return found
    for name in names:
        try:
            match = _SOCKET.fullmatch(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            continue
        if match is not None:
            found.add(match[1])
    return found
