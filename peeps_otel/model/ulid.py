# SPDX-License-Identifier: Apache-2.0
"""ULIDs: 48 bits of Unix milliseconds and 80 random bits as 26 characters of Crockford's base 32.

The specification is github.com/ulid/spec.
"""

from __future__ import annotations

import base64
import os
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Both directions run in C: base64 and int() know base 32, only with other digits.
_FROM_RFC4648 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _CROCKFORD.encode())
_TO_PYTHON = str.maketrans(_CROCKFORD, "0123456789abcdefghijklmnopqrstuv")
_VALID = frozenset(_CROCKFORD)


class UlidSource:
    """Makes ULIDs that sort by creation within one source. Not thread-safe: one source per thread."""

    def __init__(self) -> None:
        self._random = int.from_bytes(os.urandom(10), "big") >> 1

    def new(self, time_ns: int | None = None) -> bytes:
        """16 bytes; `time_ns`: the time to carry, now where None."""
        milliseconds = (time.time_ns() if time_ns is None else time_ns) // 1_000_000
        self._random = (self._random + 1) & ((1 << 80) - 1)
        return ((milliseconds & ((1 << 48) - 1)) << 80 | self._random).to_bytes(16, "big")


def ulid_text(raw: bytes) -> str:
    """16 bytes to 26 characters."""
    return base64.b32encode(b"\0\0\0\0" + raw)[6:].translate(_FROM_RFC4648).decode()


def ulid_bytes(text: str) -> bytes:
    """26 characters to 16 bytes. Raises ValueError where `text` is not a ULID."""
    if len(text) != 26 or not _VALID.issuperset(text) or text[0] > "7":
        raise ValueError(f"not a ULID (26 characters of 0-9 A-Z without I L O U, the first at most 7): {text[:40]!r}")
    return int(text.translate(_TO_PYTHON), 32).to_bytes(16, "big")
