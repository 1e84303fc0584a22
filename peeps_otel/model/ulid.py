# SPDX-License-Identifier: Apache-2.0
"""ULIDs: 48 bits of Unix milliseconds and 80 random bits, 26 characters of Crockford's base 32 (github.com/ulid/spec)."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


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
    value = int.from_bytes(raw, "big")
    parts = [_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)]
    return "".join(parts)


def ulid_bytes(text: str) -> bytes:
    """26 characters to 16 bytes. Raises ValueError where `text` is not a ULID."""
    if len(text) != 26:
        raise ValueError(f"not a ULID (26 characters expected, {len(text)} found): {text[:40]!r}")
    value = 0
    for character in text:
        try:
            value = value << 5 | _VALUES[character]
        except KeyError:
            raise ValueError(f"not a ULID (character {character!r}): {text!r}") from None
    if value >> 128:
        raise ValueError(f"not a ULID (more than 128 bits): {text!r}")
    return value.to_bytes(16, "big")
