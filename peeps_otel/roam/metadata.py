# SPDX-License-Identifier: Apache-2.0
"""Metadata: what is said beside a request, a response or a Hello. A list of keys, values and flags, in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from . import limits, rules
from .postcard import DecodeError, Reader, write_blob, write_string, write_unsigned
from .rules import ProtocolViolation

SENSITIVE = 1
"""Never to be logged, shown or put into an error."""
NO_PROPAGATE = 2
"""Not for the calls that a handler makes."""
_STRING, _BYTES, _U64 = 0, 1, 2

MetadataValue = str | bytes | int


class Entry(NamedTuple):
    """One key. An int is an unsigned number of 64 bits."""

    key: str
    value: MetadataValue
    flags: int = 0

    def __repr__(self) -> str:
        value = "…" if self.flags & SENSITIVE else repr(self.value)
        return f"Entry({self.key!r}, {value}, {self.flags})"


Metadata = tuple[Entry, ...]


def value_of(metadata: Metadata, key: str) -> MetadataValue | None:
    """The first of that key."""
    return next((entry.value for entry in metadata if entry.key == key), None)


def text_of(metadata: Metadata, key: str) -> str:
    """The same where it is text; otherwise empty."""
    found = value_of(metadata, key)
    return found if type(found) is str else ""


def handed_on(metadata: Metadata) -> Metadata:
    """What of a request's metadata goes with the calls that its handler makes."""
    return tuple(entry for entry in metadata if not entry.flags & NO_PROPAGATE)


def write(out: bytearray, metadata: Iterable[Entry]) -> None:
    entries = tuple(metadata)
    write_unsigned(out, len(entries))
    for key, value, flags in entries:
        write_string(out, key)
        if type(value) is str:
            out.append(_STRING)
            write_string(out, value)
        elif type(value) is bytes:
            out.append(_BYTES)
            write_blob(out, value)
        elif type(value) is int:
            out.append(_U64)
            write_unsigned(out, value)
        else:
            raise ValueError(f"metadata {key!r}: {type(value).__name__} is no str, bytes or int")
        write_unsigned(out, flags)


def check(metadata: Iterable[Entry]) -> None:
    """Raises ValueError for what the other side would end the link for."""
    total = 0
    entries = tuple(metadata)
    for entry in entries:
        key = len(entry.key.encode())
        value = _length(entry.value)
        total += key + value
        if key > limits.METADATA_KEY or value > limits.METADATA_VALUE:
            raise ValueError(f"metadata {entry.key[:40]!r}: its key has {key} bytes, its value {value}")
    if len(entries) > limits.METADATA_ENTRIES or total > limits.METADATA_TOTAL:
        raise ValueError(f"metadata: {len(entries)} entries of {total} bytes")


def read(reader: Reader) -> Metadata:
    """Raises `ProtocolViolation` beyond the limits, before it makes anything of that size."""
    count = reader.unsigned()
    if count > limits.METADATA_ENTRIES:
        raise ProtocolViolation(rules.METADATA_LIMITS, f"{count} entries")
    total = 0
    found: list[Entry] = []
    for _ in range(count):
        key, key_size = _text(reader, limits.METADATA_KEY)
        tag = reader.byte()
        value, size = _value(reader, tag)
        total += key_size + size
        if total > limits.METADATA_TOTAL:
            raise ProtocolViolation(rules.METADATA_LIMITS, "more than 65536 bytes")
        found.append(Entry(key, value, reader.unsigned()))
    return tuple(found)


def _value(reader: Reader, tag: int) -> tuple[MetadataValue, int]:
    if tag == _STRING:
        return _text(reader, limits.METADATA_VALUE)
    if tag == _BYTES:
        value = reader.take(_size(reader, limits.METADATA_VALUE))
        return value, len(value)
    if tag == _U64:
        return reader.unsigned(), 8
    raise DecodeError(f"a metadata value of kind {tag}")


def _text(reader: Reader, most: int) -> tuple[str, int]:
    raw = reader.take(_size(reader, most))
    try:
        return raw.decode(), len(raw)
    except UnicodeDecodeError as error:
        raise DecodeError("metadata that is no UTF-8") from error


def _size(reader: Reader, most: int) -> int:
    size = reader.unsigned()
    if size > most:
        raise ProtocolViolation(rules.METADATA_LIMITS, f"{size} bytes where {most} are allowed")
    return size


def _length(value: MetadataValue) -> int:
    if isinstance(value, int):
        return 8
    return len(value.encode() if isinstance(value, str) else value)
