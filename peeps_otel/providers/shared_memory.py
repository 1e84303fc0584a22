# SPDX-License-Identifier: Apache-2.0
"""The ready-made provider for `multiprocessing.shared_memory`: which segments this process has mapped, and who else of
its family has. By the kernel's own list of mappings, so a segment that a library has made is seen as well."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from ..probes.internals import sharing
from .registered import Entry
from .shm import Peer, Segment, ShmReport
from .wanted import SHARED_MEMORY

_FOLDER = "/dev/shm/"
_SEMAPHORE = "/dev/shm/sem."  # of multiprocessing.synchronize: seen as locks
_DELETED = " (deleted)"
_READ_MOST = 1 << 22
_FAMILY_MOST = 50


class Mapped:
    """`ask` on the provider thread. `entry`: what is asked, as if it had been registered."""

    def __init__(self) -> None:
        where = "multiprocessing/shared_memory.py:1"
        self.entry = Entry("shared memory", "shm", lambda: self.ask, where, ready_made=True)

    def is_wanted(self) -> bool:
        """Whether the program has imported the module, where the kernel tells of mappings."""
        return sys.platform == "linux" and SHARED_MEMORY in sys.modules

    def ask(self) -> ShmReport:
        own = _mappings("self")
        segments = [
            Segment(name=name, size=_size(name, length), goodbye=deleted or None)
            for name, length, deleted in own.values()
        ]
        peers = [
            Peer(id=str(pid), segment=own[inode][0], name=f"pid {pid}", pid=pid, state="mapped")
            for pid in (_family() if own else ())
            for inode in _mappings(str(pid))
            if inode in own
        ]
        return ShmReport(segments=segments, peers=peers)


def _mappings(pid: str) -> dict[str, tuple[str, int, bool]]:
    """By device and inode: path, mapped bytes, and whether the name is gone from the folder."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
            lines = file.read(_READ_MOST).splitlines()
    except OSError:
        return {}
    found: dict[str, tuple[str, int, bool]] = {}
    for line in lines:
        if _FOLDER not in line:
            continue
        parts = line.split(None, 5)
        if len(parts) < 6 or not parts[5].startswith(_FOLDER) or parts[5].startswith(_SEMAPHORE):
            continue
        first, _, last = parts[0].partition("-")
        inode = f"{parts[3]} {parts[4]}"
        before = found.get(inode, ("", 0, False))[1]
        deleted = parts[5].endswith(_DELETED)
        name = f"{parts[5].removesuffix(_DELETED)} ({parts[4]})" if deleted else parts[5]
        found[inode] = (name, before + int(last, 16) - int(first, 16), deleted)
    return found


def _size(name: str, mapped: int) -> int:
    try:
        return os.stat(name).st_size
    except OSError:
        return mapped


def _family() -> Iterable[int]:
    children = sharing.sharers() or []
    return [*([os.getppid()] if sharing.has_parent() else []), *children][:_FAMILY_MOST]
