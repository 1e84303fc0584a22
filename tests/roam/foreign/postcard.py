# SPDX-License-Identifier: Apache-2.0
"""postcard's encoding, from its specification.

A type is a small tree: a name ("u32"), or a tuple whose first item says what it is: ("list", T), ("option", T),
("array", length, T), ("map", K, V), ("set", T), ("tuple", T, ...), ("struct", (("field", T), ...)),
("enum", (("Variant", T or None), ...)), and ("tx", T), ("rx", T), which are channels and written as their ids.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

Type = Any  # as above: checked by the code that walks it

_UNSIGNED = {"u16": 16, "u32": 32, "u64": 64, "u128": 128}
_SIGNED = {"i16": 16, "i32": 32, "i64": 64, "i128": 128}
_PACKED = {"u8": "B", "i8": "b", "f32": "<f", "f64": "<d"}
_CHANNELS = ("tx", "rx")


class Malformed(Exception):
    """Bytes that are no message."""


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Reader:
    """Bytes, and how far they were read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise Malformed("ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self, bits: int) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if value >> bits:
                raise Malformed(f"more than {bits} bits")
            if byte < 0x80:
                return value
            shift += 7

    def end(self) -> None:
        if self.at != len(self.data):
            raise Malformed("more than the message")


def is_bytes(kind: Type) -> bool:
    return kind == "bytes" or kind == ("list", "u8")


def encode(kind: Type, value: Any) -> bytes:
    if isinstance(kind, str):
        return _encode_plain(kind, value)
    if is_bytes(kind):
        return varint(len(value)) + bytes(value)
    return _ENCODE[kind[0]](kind, value)


def _encode_plain(kind: str, value: Any) -> bytes:
    if kind == "unit":
        return b""
    if kind == "bool":
        return b"\1" if value else b"\0"
    if kind in _PACKED:
        return struct.pack(_PACKED[kind], value)
    if kind in _UNSIGNED:
        return varint(value)
    if kind in _SIGNED:
        return varint(value << 1 if value >= 0 else (-value << 1) - 1)
    data = value if kind == "bytes" else value.encode()
    return varint(len(data)) + data


def _encode_enum(kind: Type, value: Any) -> bytes:
    at = [name for name, _ in kind[1]].index(value[0])
    part = kind[1][at][1]
    return varint(at) + (b"" if part is None else encode(part, value[1]))


def _encode_many(kind: Type, value: Any) -> bytes:
    return varint(len(value)) + b"".join(encode(kind[1], item) for item in value)


_ENCODE: dict[str, Callable[[Type, Any], bytes]] = {
    "list": _encode_many,
    "set": _encode_many,
    "array": lambda kind, value: b"".join(encode(kind[2], item) for item in value),
    "map": lambda kind, value: _encode_many(("list", ("tuple", *kind[1:])), value),
    "option": lambda kind, value: b"\0" if value is None else b"\1" + encode(kind[1], value),
    "tuple": lambda kind, value: b"".join(encode(part, item) for part, item in zip(kind[1:], value, strict=True)),
    "struct": lambda kind, value: b"".join(encode(part, value[name]) for name, part in kind[1]),
    "enum": _encode_enum,
    **dict.fromkeys(_CHANNELS, lambda _kind, value: varint(value)),
}


def decode(kind: Type, data: Reader) -> Any:
    """Raises Malformed."""
    if isinstance(kind, str):
        return _decode_plain(kind, data)
    if is_bytes(kind):
        return data.take(data.varint(64))
    return _DECODE[kind[0]](kind, data)


def _decode_plain(kind: str, data: Reader) -> Any:
    if kind == "unit":
        return None
    if kind == "bool":
        byte = data.take(1)[0]
        if byte > 1:
            raise Malformed("neither true nor false")
        return byte == 1
    if kind in _PACKED:
        return struct.unpack(_PACKED[kind], data.take(struct.calcsize(_PACKED[kind])))[0]
    if kind in _UNSIGNED:
        return data.varint(_UNSIGNED[kind])
    if kind in _SIGNED:
        value = data.varint(_SIGNED[kind])
        return -(value + 1 >> 1) if value & 1 else value >> 1
    found = data.take(data.varint(64))
    try:
        return found if kind == "bytes" else found.decode()
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8") from error


def _decode_enum(kind: Type, data: Reader) -> Any:
    at = data.varint(32)
    if at >= len(kind[1]):
        raise Malformed(f"no variant {at}")
    name, part = kind[1][at]
    return (name, None if part is None else decode(part, data))


def _decode_many(kind: Type, data: Reader) -> Any:
    return [decode(kind[1], data) for _ in range(data.varint(64))]


_DECODE: dict[str, Callable[[Type, Reader], Any]] = {
    "list": _decode_many,
    "set": _decode_many,
    "array": lambda kind, data: [decode(kind[2], data) for _ in range(kind[1])],
    "map": lambda kind, data: _decode_many(("list", ("tuple", *kind[1:])), data),
    "option": lambda kind, data: decode(kind[1], data) if decode("bool", data) else None,
    "tuple": lambda kind, data: tuple(decode(part, data) for part in kind[1:]),
    "struct": lambda kind, data: {name: decode(part, data) for name, part in kind[1]},
    "enum": _decode_enum,
    **dict.fromkeys(_CHANNELS, lambda _kind, data: data.varint(64)),
}
