# SPDX-License-Identifier: Apache-2.0
"""The write-ahead journal: a request is answered with success only after it is on the disk here.

A folder beside the database file, with segments of records one after the other. A record holds a whole request. What
the database has committed is dropped, by segment; what it has not is read back at the next start. A record that was
cut off by a crash was never answered, so it is no loss.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..folder_sync import sync_folder
from .request import Encoding, Signal

_MAGIC = b"PJ1\n"
_HEAD = struct.Struct("<4sI IQQBB")  # magic, crc of all that follows, length, number, received_ns, signal, encoding
_CHECKED = 8  # bytes before what the crc covers
_SEGMENT_BYTES = 16 << 20
_SIGNALS, _ENCODINGS = list(Signal), list(Encoding)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class JournalError(RuntimeError):
    """Nothing of the batch was written; the message says why, for the sender."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as it is kept. Numbers grow, by one."""

    number: int
    received_ns: int
    signal: Signal
    encoding: Encoding
    body: bytes


@dataclass(slots=True)
class _Segment:
    path: Path
    size: int
    last: int


class Journal:
    """`append` from one thread, `committed` from another; `read` before either. `limit`: bytes of all segments."""

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory = directory
        self._limit = limit
        self._lock = threading.Lock()
        self._segments: list[_Segment] = []
        self._file = -1
        self._damaged: list[Path] = []
        self.warnings: list[str] = []
        """What could not be read."""
        self.last = 0
        """The highest number known."""

    @property
    def bytes(self) -> int:
        """Bytes that the database has not committed, at most one segment more."""
        with self._lock:
            return sum(segment.size for segment in self._segments)

    def read(self) -> Iterator[Entry]:
        """What an earlier run left, in order. Then `set_aside` what is damaged, once the rest is stored."""
        for path in sorted(self._directory.glob("*.journal")):
            data = path.read_bytes()
            segment = _Segment(path, len(data), 0)
            offset = 0
            while (entry := _entry_at(data, offset)) is not None:
                segment.last = self.last = max(self.last, entry.number)
                yield entry
                offset += _HEAD.size + len(entry.body)
            if _is_garbage(data, offset):
                self._damaged.append(path)
                self.warnings.append(
                    f"the journal {path} cannot be read from byte {offset} of {len(data)} on; it is kept as "
                    f"{path.with_suffix('.damaged').name}"
                )
            else:
                self._segments.append(segment)

    def set_aside(self) -> None:
        """Renames the damaged segments, so that they are not read again."""
        for path in self._damaged:
            path.replace(path.with_suffix(".damaged"))
        self._damaged.clear()

    def append(self, entries: Sequence[Entry]) -> None:
        """All of them are on the disk when this returns. Raises JournalError, and then none is kept."""
        pieces = [piece for entry in entries for piece in _record(entry)]
        size = sum(map(len, pieces))
        try:
            segment = self._segment(entries[0].number, size)
            try:
                _write(self._file, pieces)
                os.fdatasync(self._file)
            except OSError:
                self._undo(segment)
                raise
        except OSError as error:
            raise JournalError(_words(error)) from None
        with self._lock:
            segment.size += size
            segment.last = self.last = entries[-1].number

    def committed(self, low: int) -> None:
        """The database has committed everything up to number `low`: segments without anything later are deleted."""
        with self._lock:
            done = [s for s in self._segments if s.last <= low and (s is not self._segments[-1] or self._file < 0)]
            for segment in done:
                with contextlib.suppress(OSError):
                    segment.path.unlink()
                self._segments.remove(segment)
            if self._segments and self._segments[-1].last <= low and self._segments[-1].size >= _SEGMENT_BYTES // 4:
                self._close()  # the next append begins a new one, and then this one goes

    def close(self, low: int) -> None:
        """After the last `append`. `low`: see `committed`."""
        with self._lock:
            self._close()
        self.committed(low)
        with contextlib.suppress(OSError):  # it stays where something is left in it
            self._directory.rmdir()

    def _segment(self, number: int, size: int) -> _Segment:
        with self._lock:
            used = sum(segment.size for segment in self._segments)
            if used and used + size > self._limit:
                raise JournalError(f"{used} bytes wait for the database, which does not keep up; retry later")
            if self._file >= 0 and self._segments[-1].size + size > _SEGMENT_BYTES:
                self._close()
            room = self._room()
            # The database must still be able to take what waits here, or nothing would ever make room again.
            if room.f_bavail * room.f_frsize < size + 2 * used:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._file < 0:
                path = self._directory / f"{number:020d}.journal"
                self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                sync_folder(self._directory)
                self._segments.append(_Segment(path, os.fstat(self._file).st_size, 0))
            return self._segments[-1]

    def _room(self) -> os.statvfs_result:
        """Of the folder, which is made where it is not there: then the open segment is not there, either."""
        try:
            return os.statvfs(self._directory)
        except FileNotFoundError:
            self._close()
            self._directory.mkdir(mode=0o700, exist_ok=True)
            return os.statvfs(self._directory)

    def _undo(self, segment: _Segment) -> None:
        try:
            os.ftruncate(self._file, segment.size)
            os.fdatasync(self._file)
        except OSError:
            with self._lock:
                self._close()  # what is half written there is cut off when it is read

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _record(entry: Entry) -> tuple[bytes, bytes]:
    kind = _SIGNALS.index(entry.signal), _ENCODINGS.index(entry.encoding)
    head = _HEAD.pack(_MAGIC, 0, len(entry.body), entry.number, entry.received_ns, *kind)
    crc = zlib.crc32(entry.body, zlib.crc32(head[_CHECKED:]))
    return head[:4] + crc.to_bytes(4, "little") + head[_CHECKED:], entry.body


def _entry_at(data: bytes, offset: int) -> Entry | None:
    """None at the end, and where what is there is not whole."""
    if offset + _HEAD.size > len(data):
        return None
    head: tuple[bytes, int, int, int, int, int, int] = _HEAD.unpack_from(data, offset)
    magic, crc, length, number, received_ns, signal, encoding = head
    start = offset + _HEAD.size
    if magic != _MAGIC or start + length > len(data) or signal >= len(_SIGNALS) or encoding >= len(_ENCODINGS):
        return None
    body = data[start : start + length]
    if zlib.crc32(body, zlib.crc32(data[offset + _CHECKED : start])) != crc:
        return None
    return Entry(number, received_ns, _SIGNALS[signal], _ENCODINGS[encoding], body)


def _is_garbage(data: bytes, offset: int) -> bool:
    """Whether what is left is something else than a record that a crash cut off, which may end in zeros."""
    rest = data[offset : offset + len(_MAGIC)]
    return bool(rest.strip(b"\0")) and not _MAGIC.startswith(rest)


def _write(file: int, pieces: list[bytes]) -> None:
    for start in range(0, len(pieces), 512):  # IOV_MAX is 1024
        views = [memoryview(piece) for piece in pieces[start : start + 512] if piece]
        while views:
            done = os.writev(file, views)
            while views and done >= len(views[0]):
                done -= len(views.pop(0))
            if views:
                views[0] = views[0][done:]


def _words(error: OSError) -> str:
    what = "disk full" if error.errno in _NO_ROOM else "the disk fails"
    return f"{what}: what you sent could not be made durable ({error.strerror}); retry later"
