# SPDX-License-Identifier: Apache-2.0
"""Postcard, the encoding of everything in Roam: unsigned LEB128, zigzag for signed, lengths before what they count.

Reading is for bytes of strangers: every length is compared with what there is before anything is made of it.
"""

from __future__ import annotations

import struct

ITEMS_BEYOND_BYTES = 65_536
DEPTH_MOST = 100


class DecodeError(ValueError):
    """The bytes are not what they should be."""


class Reader:
    """Reads values one after the other. Every method raises `DecodeError`, and no other error.

    All lists and maps together may have as many items as there are bytes, and 65 536 more for items that take no
    bytes; `depth` counts how deeply values of recursive types lie in each other.
    """

    __slots__ = ("_at", "_data", "_end", "_items", "depth")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = bytes(data)
        self._at = 0
        self._end = len(self._data)
        self._items = self._end + ITEMS_BEYOND_BYTES
        self.depth = 0

    @property
    def remaining(self) -> int:
        """Bytes that have not been read."""
        return self._end - self._at

    def finish(self) -> None:
        """Raises where bytes are left."""
        if self._at != self._end:
            raise DecodeError(f"{self.remaining} bytes too many")

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.remaining:
            raise DecodeError(f"{count} bytes announced, {self.remaining} there")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        if self._at >= self._end:
            raise DecodeError("it ends too early")
        self._at += 1
        return self._data[self._at - 1]

    def boolean(self) -> bool:
        value = self.byte()
        if value > 1:
            raise DecodeError(f"{value} is neither false nor true")
        return value == 1

    def unsigned(self, bits: int = 64) -> int:
        """A varint of at most `bits` bits."""
        value = shift = 0
        while shift < bits:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> bits:
                    raise DecodeError(f"more than {bits} bits")
                return value
            shift += 7
        raise DecodeError(f"a varint of more than {bits} bits")

    def signed(self, bits: int = 64) -> int:
        value = self.unsigned(bits)
        return (value >> 1) ^ -(value & 1)

    def f32(self) -> float:
        return float(struct.unpack("<f", self.take(4))[0])

    def f64(self) -> float:
        return float(struct.unpack("<d", self.take(8))[0])

    def blob(self) -> bytes:
        """A length and as many bytes."""
        return self.take(self.unsigned())

    def string(self) -> str:
        try:
            return self.blob().decode()
        except UnicodeDecodeError as error:
            raise DecodeError("a string that is no UTF-8") from error

    def count(self, most: int | None = None) -> int:
        """The length of a list of anything."""
        found = self.unsigned()
        if found > self._items or (most is not None and found > most):
            raise DecodeError(f"a list of {found} items")
        self._items -= found
        return found

    def spend(self, items: int) -> None:
        """For items that no length announces."""
        if items > self._items:
            raise DecodeError("too many items")
        self._items -= items

    def descend(self) -> None:
        """Into a value of a recursive type; `depth` is to be lowered after it."""
        self.depth += 1
        if self.depth > DEPTH_MOST:
            raise DecodeError(f"more than {DEPTH_MOST} values in each other")


def write_unsigned(out: bytearray, value: int, bits: int = 64) -> None:
    """Raises ValueError for what is not of at most `bits` bits."""
    if value < 0 or value >> bits:
        raise ValueError(f"{value} is no u{bits}")
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def write_signed(out: bytearray, value: int, bits: int = 64) -> None:
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise ValueError(f"{value} is no i{bits}")
    write_unsigned(out, value << 1 if value >= 0 else (-value << 1) - 1, bits)


def write_blob(out: bytearray, value: bytes | bytearray | memoryview) -> None:
    write_unsigned(out, len(value))
    out += value


def write_string(out: bytearray, value: str) -> None:
    write_blob(out, value.encode())
