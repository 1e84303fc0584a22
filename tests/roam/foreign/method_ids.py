# SPDX-License-Identifier: Apache-2.0
"""How a method gets its id, 64 bits, from its names and types; and BLAKE3, which that takes."""

from __future__ import annotations

import re
import struct

from .postcard import Type, is_bytes, varint

_NAMES = "bool u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 char string unit bytes"  # tags 1, 2, 3, …
_PLAIN = {name: bytes((tag,)) for tag, name in enumerate(_NAMES.split(), 1)}
_CONTAINERS = {
    **{"list": 0x20, "option": 0x21, "array": 0x22, "map": 0x23},
    **{"set": 0x24, "tuple": 0x25, "tx": 0x26, "rx": 0x27},
}


def _name(text: str) -> bytes:
    return varint(len(text.encode())) + text.encode()


def _signature(kind: Type, met: list[Type]) -> bytes:
    if is_bytes(kind):
        return _PLAIN["bytes"]
    if isinstance(kind, str):
        return _PLAIN[kind]
    what = kind[0]
    if what in ("struct", "enum"):
        if kind in met:
            return b"\x32"
        met.append(kind)
        out = bytes((0x30 if what == "struct" else 0x31,)) + varint(len(kind[1]))
        for name, part in kind[1]:
            out += _name(name) + (_signature(part, met) if what == "struct" else _variant(part, met))
        return out
    out = bytes((_CONTAINERS[what],))
    if what == "array":
        return out + varint(kind[1]) + _signature(kind[2], met)
    if what == "tuple":
        out += varint(len(kind) - 1)
    return out + b"".join(_signature(part, met) for part in kind[1:])


def _variant(part: Type, met: list[Type]) -> bytes:
    """A struct of a variant is a part of the enum, and no type that could be met again."""
    if part is None:
        return b"\0"
    if part[0] == "struct":
        return b"\2" + varint(len(part[1])) + b"".join(_name(name) + _signature(field, met) for name, field in part[1])
    return b"\1" + _signature(part, met)


def method_id(service: str, method: str, arguments: tuple[Type, ...], returns: Type) -> int:
    """Of what may fail with an error of its own `returns` is "unit", whatever it returns (as the reference has it)."""
    signature = b"\x25" + varint(len(arguments)) + b"".join(_signature(part, []) for part in arguments)
    text = f"{_kebab(service)}.{_kebab(method)}".encode()
    return int.from_bytes(blake3(text + blake3(signature + _signature(returns, [])))[:8], "little")


def _kebab(name: str) -> str:
    return re.sub("(?<!^)([A-Z])", r"-\1", name).replace("_", "-").lower()


_START = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
_ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
_QUARTERS = tuple(
    (at, 4 + (at + by) % 4, 8 + (at + 2 * by) % 4, 12 + (at + 3 * by) % 4) for by in (0, 1) for at in range(4)
)


def blake3(data: bytes) -> bytes:
    """BLAKE3 of at most 1,024 bytes (one chunk), 32 bytes."""
    if len(data) > 1024:
        raise ValueError("more than one chunk")
    chain = _START
    blocks = [data[at : at + 64] for at in range(0, len(data), 64)] or [b""]
    for index, block in enumerate(blocks):
        flags = (index == 0) | (0b1010 if index == len(blocks) - 1 else 0)
        chain = _compress(chain, block, flags)
    return struct.pack("<8I", *chain)


def _compress(chain: tuple[int, ...], block: bytes, flags: int) -> tuple[int, ...]:
    words = struct.unpack("<16I", block.ljust(64, b"\0"))
    state = [*chain, *_START[:4], 0, 0, len(block), flags]

    def mix(a: int, b: int, c: int, d: int, x: int, y: int) -> None:
        for word, first, second in ((x, 16, 12), (y, 8, 7)):
            state[a] = state[a] + state[b] + word & 0xFFFFFFFF
            state[d] = _right(state[d] ^ state[a], first)
            state[c] = state[c] + state[d] & 0xFFFFFFFF
            state[b] = _right(state[b] ^ state[c], second)

    for _ in range(7):
        for at, quarter in enumerate(_QUARTERS):
            mix(*quarter, words[2 * at], words[2 * at + 1])
        words = tuple(words[at] for at in _ORDER)
    return tuple(state[at] ^ state[at + 8] for at in range(8))


def _right(word: int, by: int) -> int:
    return (word >> by | word << 32 - by) & 0xFFFFFFFF
