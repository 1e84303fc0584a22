# SPDX-License-Identifier: Apache-2.0
"""The memory that a program and its sidecar share: a control page, and after it the dumped stacks.

One anonymous file. Its first 64 KiB are mapped by both; what follows is written by `faulthandler` through the file
descriptor. Writers: the program, but for the fields about the dump and the flag DONE, which are the sidecar's.
"""

from __future__ import annotations

import mmap
import struct

BYTES = 65536
"""Size of the mapped part, and where the dump begins."""
BYE = 1  # the program has said goodbye
NO_DUMP = 2  # the signal may not be sent
DONE = 4  # the sidecar has seen the goodbye and will send no signal

_MAGIC = b"peeps\0\0\1"
_FLAGS, _BEATS, _BEAT_NS, _DUMP_BEATS, _DUMP_END, _ANNOUNCED, _THREADS = range(8, 64, 8)
_ANNOUNCEMENT_AT, _THREADS_AT = 64, 32768
ANNOUNCEMENT_MOST = _THREADS_AT - _ANNOUNCEMENT_AT
THREADS_MOST = BYTES - _THREADS_AT
_U64 = struct.Struct("<Q")


class Page:
    """Either side's view of the control page of the file `fd`. The map outlives the descriptor."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, BYTES)

    def close(self) -> None:
        self._map.close()

    # --- the program's side -------------------------------------------------------------------------------------------

    def announce(self, announcement: bytes) -> None:
        """What the sidecar has to know. Raises ValueError where it is too long."""
        if len(announcement) > ANNOUNCEMENT_MOST:
            raise ValueError(f"{len(announcement)} bytes to announce, {ANNOUNCEMENT_MOST} is the most")
        self._map[_ANNOUNCEMENT_AT : _ANNOUNCEMENT_AT + len(announcement)] = announcement
        self._put(_ANNOUNCED, len(announcement))
        self._map[: len(_MAGIC)] = _MAGIC

    def beat(self, now_ns: int) -> None:
        """The program lives. `now_ns`: Unix time."""
        self._put(_BEAT_NS, now_ns)
        self._put(_BEATS, self.beats + 1)

    def name_threads(self, text: bytes) -> None:
        """Which threads there are: a line each, `ident native-id name`. What is too long is cut at a line."""
        if len(text) > THREADS_MOST:
            text = text[: text.rfind(b"\n", 0, THREADS_MOST) + 1]
        self._put(_THREADS, 0)  # whoever reads in between finds none, not half of two
        self._map[_THREADS_AT : _THREADS_AT + len(text)] = text
        self._put(_THREADS, len(text))

    # --- both sides' --------------------------------------------------------------------------------------------------

    def raise_flag(self, flag: int) -> None:
        self._put(_FLAGS, self._get(_FLAGS) | flag)

    def has(self, flag: int) -> bool:
        return bool(self._get(_FLAGS) & flag)

    @property
    def beats(self) -> int:
        return self._get(_BEATS)

    @property
    def beat_ns(self) -> int:
        """When the last beat was, Unix time; 0 before the first."""
        return self._get(_BEAT_NS)

    # --- the sidecar's side -------------------------------------------------------------------------------------------

    @property
    def is_ours(self) -> bool:
        return self._map[: len(_MAGIC)] == _MAGIC

    @property
    def announcement(self) -> bytes:
        return self._map[_ANNOUNCEMENT_AT : _ANNOUNCEMENT_AT + self._get(_ANNOUNCED)]

    @property
    def threads(self) -> bytes:
        return self._map[_THREADS_AT : _THREADS_AT + self._get(_THREADS)]

    def dumped(self, beats: int, end: int) -> None:
        """The dump that was made while the count stood at `beats` ends at byte `end` of the file."""
        self._put(_DUMP_END, end)
        self._put(_DUMP_BEATS, beats)

    def dump_end(self, beats: int) -> int | None:
        """Where the dump of this silence ends; None where there is none yet."""
        return self._get(_DUMP_END) if self._get(_DUMP_BEATS) == beats and self._get(_DUMP_END) else None

    def _get(self, at: int) -> int:
        return _U64.unpack_from(self._map, at)[0]

    def _put(self, at: int, value: int) -> None:
        _U64.pack_into(self._map, at, value)
