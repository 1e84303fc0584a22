# SPDX-License-Identifier: Apache-2.0
"""What a thread reads from, writes to or locks in a call that names no object which is shown: by the descriptor of the
system call it is in. It reads and writes pipes and sockets alone: of a file or a terminal nobody else has the other
end."""

from __future__ import annotations

from ..model.operations import operation
from .internals import file_locks, process_files
from .internals.asyncio_io import Descriptor
from .internals.file_locks import LOCK_CALLS, FileLock
from .internals.thread import READS, TRANSFERS, system_call

_BY_CALL = frozenset(
    operation(name)
    for name in (
        *("file.read", "file.write", "connection.recv", "connection.send"),
        *("ssl.read", "ssl.write", "ssl.handshake", "ssl.shutdown"),
    )
)
_LOCKS = operation("file.lock")
_KEPT_MOST = 500


class Descriptors:
    """For the watcher thread only. One object for each descriptor, so that it is one node for all who wait for it."""

    def __init__(self) -> None:
        self._known: dict[str, Descriptor] = {}
        self._locks: dict[tuple[int, int], FileLock] = {}

    def waited_for(self, operation_name: str, native_id: int | None) -> Descriptor | FileLock | None:
        """The pipe, socket or lock of a file that a sleeping thread waits for; None where that is not told."""
        how = operation(operation_name)
        if how is not _LOCKS and how not in _BY_CALL:
            return None
        call = system_call(native_id)
        if call is None or call[0] not in (LOCK_CALLS if how is _LOCKS else TRANSFERS):
            return None
        return self._lock(call[1]) if how is _LOCKS else self._end(call[1])

    def read_unnamed(self, native_id: int | None) -> Descriptor | None:
        """The pipe or socket that a sleeping thread reads from, whatever function it is in: an iterator, say."""
        call = system_call(native_id)
        return self._end(call[1]) if call is not None and call[0] in READS else None

    def _end(self, fd: int) -> Descriptor | None:
        link = process_files.link_of(fd)
        if not link.startswith(("pipe:", "socket:")):
            return None
        known = self._known.get(link)
        if known is None or known.fd != fd:
            if len(self._known) >= _KEPT_MOST:
                self._known.pop(next(iter(self._known)))
            known = self._known[link] = Descriptor(fd, link)
        return known

    def _lock(self, fd: int) -> FileLock | None:
        file = file_locks.of_descriptor(fd)
        if file is None:
            return None
        path, inode = file
        known = self._locks.get(inode)
        if known is None:
            if len(self._locks) >= _KEPT_MOST:
                self._locks.pop(next(iter(self._locks)))
            known = self._locks[inode] = FileLock(path, inode)
        return known
