# SPDX-License-Identifier: Apache-2.0
"""A process that is no Python of ours, as Linux's `/proc` shows it: the one system call that it is in, and on what.

Only of one with a single thread that sleeps can be told what it does; nothing of any other.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from . import versions
from .child_pipes import called
from .process_files import access_mode, family, link_of, links
from .sharing import COPY_NAME
from .thread import READS, WRITES, system_call

CHECKED_ON = versions.on("CPython")

_WAITS = frozenset({61, 247, 260, 95})
"""`wait4` and `waitid`: x86-64, the others."""
_FILES_MOST = 500
_FAMILY_MOST = 150
_COPY = COPY_NAME.decode()
READ, WRITE, WAIT = "read", "write", "wait"


class Sleeper(NamedTuple):
    """`does`: READ, WRITE or WAIT (for the end of one of its children). `link`: what it reads from or writes to, as
    `/proc` names it. `turns`: how often it was given a processor: the same as long as it sleeps."""

    pid: int
    name: str
    does: str
    link: str
    fd: int
    turns: int


def relatives() -> list[int]:
    """The parent of this process, and all others that those two have started; none where there are too many of them."""
    own, parent = os.getpid(), os.getppid()
    found = family([own, *([parent] if parent > 1 else [])], _FAMILY_MOST)
    known = len(found) < _FAMILY_MOST
    return [pid for pid in found if pid != own and not called(pid).startswith(_COPY)] if known else []


def has_end(pid: int, link: str, written: bool) -> bool:
    """Whether a process has this pipe open to write, or to read, or this socket."""
    unwanted = os.O_RDONLY if written else os.O_WRONLY
    socket = link.startswith("socket:")
    return any(other == link and (socket or access_mode(pid, fd) != unwanted) for fd, other in links(pid, _FILES_MOST))


def sleeper(pid: int) -> Sleeper | None:
    """None for a process that runs, has several threads, is in another call, or is gone."""
    try:
        if len(os.listdir(f"/proc/{pid}/task")) != 1:
            return None
        before = _turns(pid)
        call = system_call(pid, pid)
    except (OSError, ValueError, StopIteration):
        return None
    if before is None or call is None:
        return None
    number, fd = call
    does = READ if number in READS else WRITE if number in WRITES else WAIT if number in _WAITS else ""
    link = "" if does in ("", WAIT) else link_of(fd, pid)
    try:
        stood = _turns(pid) == before
    except (OSError, ValueError):
        return None
    if not does or not stood or (does != WAIT and not link.startswith(("pipe:", "socket:"))):
        return None
    return Sleeper(pid, called(pid), does, link, fd, before)


def children_of(pid: int) -> list[int]:
    return [one for one in family([pid], _FAMILY_MOST) if one != pid and _parent(one) == pid]


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read(2048).rpartition(b") ")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _turns(pid: int) -> int | None:
    """None for one that does not sleep."""
    sleeps, turns = False, 0
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name == "State":
                sleeps = value.split()[0] == "S"
            elif name.endswith("voluntary_ctxt_switches"):
                turns += int(value)
    return turns if sleeps else None
