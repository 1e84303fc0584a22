# SPDX-License-Identifier: Apache-2.0
"""What Linux's `/proc` tells of a process: what its descriptors are, for what they are open, and whom it has started.
What cannot be read is not there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

from . import versions

CHECKED_ON = versions.on("CPython")
_THREADS_MOST = 4096


def link_of(fd: int | str, process: int | str = "self") -> str:
    """`pipe:[123]`, `socket:[123]`; empty where it is closed or not told."""
    try:
        return os.readlink(f"/proc/{process}/fd/{fd}")
    except OSError:
        return ""


def links(process: int | str, most: int) -> Iterator[tuple[int, str]]:
    """The descriptors of a process, at most `most`, and what each is."""
    try:
        names = os.listdir(f"/proc/{process}/fd")[:most]
    except OSError:
        return
    for name in names:
        link = link_of(name, process)
        if link:
            yield int(name), link


def access_mode(process: int, fd: int) -> int:
    """`os.O_RDONLY` and so on, of a descriptor of any process; of one that is not told, `os.O_RDWR`."""
    try:
        with open(f"/proc/{process}/fdinfo/{fd}", encoding="ascii") as file:
            flags = next(int(line.split()[1], 8) for line in file if line.startswith("flags:"))
    except (OSError, StopIteration, ValueError):
        return os.O_RDWR
    return flags & os.O_ACCMODE


def family(roots: Iterable[int], most: int) -> list[int]:
    """These processes and those that they have started, at most `most`."""
    found = list(roots)
    work = list(found)
    while work and len(found) < most:
        for child in _children(work.pop()):
            if child not in found:
                found.append(child)
                work.append(child)
    return found[:most]


def _children(pid: int) -> list[int]:
    """Each is known by the thread that started it."""
    found: list[int] = []
    with suppress(OSError, ValueError):
        for thread in os.listdir(f"/proc/{pid}/task")[:_THREADS_MOST]:
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
    return found
