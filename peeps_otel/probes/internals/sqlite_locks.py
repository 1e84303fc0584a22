# SPDX-License-Identifier: Apache-2.0
"""Which SQLite database of this process somebody has locked to write, by the bytes of its file that the kernel's table
of locks shows. SQLite itself is not asked."""

from __future__ import annotations

import os
import sys

from . import versions
from .file_locks import lock_rows, of_descriptor
from .process_files import links

CHECKED_ON = versions.on("CPython")

_PENDING, _SHARED_LAST = 0x40000000, 0x40000000 + 511
_WAL_WRITE = 120  # of the file beside it that processes share
_SHM = "-shm"
_FILES_MOST = 1000
_KEPT_MOST = 100


class SqliteLock:
    """That of a database. `pid`: the process that has it, as last seen."""

    __slots__ = ("__weakref__", "path", "pid")

    def __init__(self, path: str) -> None:
        self.path, self.pid = path, 0


class SqliteLocks:
    """For the watcher thread only. One object for each database."""

    def __init__(self) -> None:
        self._known: dict[str, SqliteLock] = {}
        self.last: SqliteLock | None = None
        """The one that was found last."""

    def taken(self) -> SqliteLock | None:
        """The only one that is taken of the databases that this process has open; None where that is not clear."""
        rows = {
            row.inode: row.pid
            for row in lock_rows()
            if not row.waits
            and not row.is_shared
            and (row.first == _WAL_WRITE or _PENDING <= row.first <= _SHARED_LAST)
        }
        found: dict[str, int] = {}
        for fd, link in links("self", _FILES_MOST) if rows else ():
            file = of_descriptor(fd) if link.startswith("/") else None
            if file is not None and file[1] in rows:
                found[file[0].removesuffix(_SHM)] = rows[file[1]]
        if len(found) != 1:
            self.last = None
            return None
        ((path, pid),) = found.items()
        if path not in self._known and len(self._known) >= _KEPT_MOST:
            self._known.pop(next(iter(self._known)))
        lock = self.last = self._known.setdefault(path, SqliteLock(path))
        lock.pid = pid
        return lock


LOCKS = SqliteLocks()


def read_field(connection: object, name: str) -> object:
    """A field of a `sqlite3.Connection` that C code reads from memory; None of one that is closed, or is none."""
    kind = vars(sys.modules.get("sqlite3", sys)).get("Connection")
    if not isinstance(kind, type) or not issubclass(type(connection), kind):
        return None
    try:
        return vars(kind)[name].__get__(connection)
    except Exception:  # closed
        return None


def is_ours(lock: SqliteLock) -> bool:
    return lock.pid == os.getpid()
