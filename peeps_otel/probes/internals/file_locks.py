# SPDX-License-Identifier: Apache-2.0
"""Locks on files (`flock`, `lockf`), and which processes have them: what Linux's `/proc` tells of them.

Nobody is found where that cannot be read, or where the owner is in another container. From any thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from . import versions
from .process_files import family, link_of, links
from .sharing import is_alive

CHECKED_ON = versions.on("CPython")

LOCK_CALLS = frozenset({72, 73, 25, 32})
"""`fcntl` and `flock`: x86-64, the others. Their first argument is a descriptor."""
_AGAIN_NS = 1_000_000_000
_SHARED_AGAIN_NS = 10_000_000_000
_TABLE_MOST = 1_000_000  # bytes of the kernel's table of locks
_FAMILY_MOST = 40
_PROCESSES_MOST = 4000
_FILES_MOST = 1000
_INFO_MOST = 4096


class FileLock:
    """The lock of a file that somebody waits for. `path`: as the waiter has it open; `inode`: with its device."""

    __slots__ = ("__weakref__", "_asked_ns", "_owners", "_shared_ns", "_sharers", "_took", "inode", "path")

    def __init__(self, path: str, inode: tuple[int, int]) -> None:
        self.path, self.inode = path, inode
        self._owners: list[int] = []
        self._sharers: list[int] = []
        self._took: list[int] = []
        self._asked_ns = self._shared_ns = 0

    def owners(self) -> list[int]:
        """The living processes that have it, the one that took it first; asked at most once a second. A file that was
        opened before a fork is locked for parent and child."""
        now_ns = time.monotonic_ns()
        if self._asked_ns and now_ns - self._asked_ns < _AGAIN_NS:
            return self._owners
        self._asked_ns = now_ns
        took = [pid for pid in _took(self.inode, os.getpid()) if pid > 0 and is_alive(pid)]
        if not self._shared_ns or now_ns - self._shared_ns >= _SHARED_AGAIN_NS or took != self._took:
            self._shared_ns, self._took = now_ns, took
            self._sharers = _sharers(self, took)
        self._owners = list(dict.fromkeys([*took, *self._sharers]))
        return self._owners


def of_descriptor(fd: int) -> tuple[str, tuple[int, int]] | None:
    """Path and inode of an open file of this process; None for what is no file, or is not told. The file system itself
    is not asked, for one in the network may not answer: the kernel tells from memory (the inode since Linux 5.14)."""
    path = link_of(fd)
    if not path.startswith("/"):
        return None
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
            told = dict(line.split(":", 1) for line in file.read(_INFO_MOST).splitlines() if ":" in line)
        device = _device_of(told["mnt_id"].strip())
        inode = int(told["ino"])
    except (OSError, KeyError, ValueError):
        return None
    return None if device is None else (path.removesuffix(" (deleted)"), (device, inode))


def is_ours(path: str) -> bool:
    """Whether this process itself has a lock on that file, by a descriptor of its own."""
    return _has_locked(os.getpid(), os.path.abspath(path))


def _device_of(mount: str) -> int | None:
    """`27 1 254:0 / / rw,relatime - ext4 /dev/vda rw`"""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as table:
        for line in table.read(_TABLE_MOST).splitlines():
            number, _, device = line.split(" ", 3)[:3]
            if number == mount:
                major, _, minor = device.partition(":")
                return os.makedev(int(major), int(minor))
    return None


class LockRow(NamedTuple):
    """A line of the kernel's table: who has a lock, or, `waits`, who waits for the one of the same number. `first`: the
    first byte that is locked. `is_shared`: others may have it too."""

    number: str
    waits: bool
    pid: int
    inode: tuple[int, int]
    first: int
    is_shared: bool


def _took(inode: tuple[int, int], waiter: int) -> list[int]:
    """Whom the kernel lets this process wait for; where it does not wait there (it asks again and again), all who have
    a lock on that file. 0 or less for one that is not seen from here."""
    rows = [row for row in lock_rows() if row.inode == inode]
    awaited = {row.number for row in rows if row.waits and row.pid == waiter}
    return list(dict.fromkeys(r.pid for r in rows if not r.waits and (not awaited or r.number in awaited)))


def lock_rows() -> Iterator[LockRow]:
    """`5: -> FLOCK  ADVISORY  WRITE 4711 fe:00:3106171 0 EOF`"""
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as table:
            lines = table.read(_TABLE_MOST).splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split()
        waits = "->" in fields
        fields = [field for field in fields if field != "->"]
        try:
            number, _, _, mode, pid, place, first = fields[:7]
            major, minor, inode = place.split(":")
            device = os.makedev(int(major, 16), int(minor, 16))
            yield LockRow(number, waits, int(pid), (device, int(inode)), int(first), mode == "READ")
        except ValueError:
            continue


def _sharers(lock: FileLock, took: list[int]) -> list[int]:
    """Those that have the locked file by way of a fork; where who took it has ended, wherever they are by now."""
    if took:
        return [pid for pid in family(took, _FAMILY_MOST) if _has_locked(pid, lock.path)]
    try:
        all_of_them = [int(name) for name in os.listdir("/proc") if name.isdecimal()][:_PROCESSES_MOST]
    except OSError:
        return []
    return [pid for pid in all_of_them if _has_locked(pid, lock.path)]


def _has_locked(pid: int, path: str) -> bool:
    return any(link == path and _is_locked_by(pid, fd) for fd, link in links(pid, _FILES_MOST))


def _is_locked_by(pid: int, fd: int) -> bool:
    try:
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
            return any(line.startswith("lock:") and "->" not in line for line in file.read(_INFO_MOST).splitlines())
    except OSError:
        return False
