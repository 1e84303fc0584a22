# SPDX-License-Identifier: Apache-2.0
"""Text of many rows in one buffer, as Arrow has it: attributes as the JSON that orjson writes, ids in hexadecimal,
strings as they are. Compiled by Numba; the caller gives buffers that are large enough (`json_room`) and has them while
it lasts, and every index is checked.
"""

from __future__ import annotations

import numpy as np

from .compiler import Array, compiled, int64, uint64, within
from .walk import (
    BOOL,
    DOUBLE,
    FIRST,
    INT,
    KEY,
    KEY_SIZE,
    LAST,
    STRING,
    TYPE,
    VALUE,
    VALUE_SIZE,
)

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_SHORT = np.zeros(32, np.uint8)
for _byte, _letter in zip(b"\b\t\n\f\r", b"btnfr", strict=True):
    _SHORT[_byte] = _letter
_QUOTE, _BACKSLASH = 0x22, 0x5C
_LONGEST_NUMBER = 24


def json_room(attributes: Array, rows: int) -> int:
    """Bytes that the JSON of these attributes, in `rows` objects, has at most."""
    sizes = attributes[:, KEY_SIZE] + attributes[:, VALUE_SIZE]
    return 6 * int(sizes.sum()) + (_LONGEST_NUMBER + 6) * len(attributes) + 2 * rows


@compiled
def write_json(
    data: Array, table: Array, attributes: Array, doubles: Array, double_ends: Array, out: Array, offsets: Array
) -> int:
    """An object for each row of `table`. `doubles`: the text of all numbers with a point, in the order of the
    attributes; `double_ends`: where each ends; a comma lies between two. Returns the bytes written."""
    position, double = int64(0), int64(0)
    for row in range(table.shape[0]):
        offsets[row] = position
        out[position] = 0x7B
        position += 1
        for number in range(table[row, FIRST], table[row, LAST]):
            if number > table[row, FIRST]:
                out[position] = 0x2C
                position += 1
            entry = attributes[number]
            position = _quoted(data, entry[KEY], entry[KEY_SIZE], out, position)
            out[position] = 0x3A
            position += 1
            kind = entry[TYPE]
            if kind == STRING:
                position = _quoted(data, entry[VALUE], entry[VALUE_SIZE], out, position)
            elif kind == INT:
                position = _decimal(entry[VALUE], out, position)
            elif kind == BOOL:
                position = _bool(entry[VALUE], out, position)
            elif kind == DOUBLE:
                begin = double_ends[double - 1] + 1 if double else int64(0)
                for place in range(begin, double_ends[double]):
                    out[position] = doubles[place]
                    position += 1
                double += 1
        out[position] = 0x7D
        position += 1
    offsets[table.shape[0]] = position
    return position


@compiled
def _quoted(data: Array, begin: int, size: int, out: Array, position: int) -> int:
    out[position] = _QUOTE
    position += 1
    if size + 6 <= out.shape[0] - position and copy(data, begin, size, out, position):
        position += size
        out[position] = _QUOTE
        return position + 1
    for place in range(begin, begin + size):
        byte = data[place]
        if byte < 32 or byte in (_QUOTE, _BACKSLASH):
            out[position] = _BACKSLASH
            letter = _SHORT[byte] if byte < 32 else byte
            if letter:
                out[position + 1] = letter
                position += 2
                continue
            out[position + 1], out[position + 2], out[position + 3] = 0x75, 0x30, 0x30
            out[position + 4], out[position + 5] = _HEX[byte >> 4], _HEX[byte & 15]
            position += 6
            continue
        out[position] = byte
        position += 1
    out[position] = _QUOTE
    return position + 1


@within
def copy(data: Array, begin: int, size: int, out: Array, position: int) -> bool:
    """Copies what has room; whether JSON writes all of it as it is."""
    special = False
    for place in range(size):
        byte = data[begin + place]
        out[position + place] = byte
        special |= (byte < 32) | (byte == _QUOTE) | (byte == _BACKSLASH)
    return not special


@compiled
def _decimal(value: int, out: Array, position: int) -> int:
    if value < 0:
        out[position] = 0x2D
        position += 1
    rest = uint64(-value) if value < 0 else uint64(value)
    digits = 1
    above = uint64(10)
    while digits < 20 and rest >= above:
        digits += 1
        if digits == 20:
            break
        above *= uint64(10)
    for place in range(digits - 1, -1, -1):
        quotient = rest // uint64(10)
        out[position + place] = 0x30 + int64(rest - quotient * uint64(10))
        rest = quotient
    return position + digits


@compiled
def _bool(value: bool, out: Array, position: int) -> int:
    word = (0x74, 0x72, 0x75, 0x65, 0) if value else (0x66, 0x61, 0x6C, 0x73, 0x65)
    size = 4 if value else 5
    for place in range(size):
        out[position + place] = word[place]
    return position + size


@compiled
def write_hexadecimal(data: Array, begins: Array, size: int, out: Array) -> int:
    """`size` bytes from each of `begins`, one after the other; nothing where that is 0."""
    position = int64(0)
    for row in range(begins.shape[0]):
        if begins[row]:
            for place in range(begins[row], begins[row] + size):
                out[position], out[position + 1] = _HEX[data[place] >> 4], _HEX[data[place] & 15]
                position += 2
    return position


@compiled
def write_strings(data: Array, begins: Array, sizes: Array, out: Array, offsets: Array) -> int:
    position = int64(0)
    for row in range(begins.shape[0]):
        offsets[row] = position
        for place in range(begins[row], begins[row] + sizes[row]):
            out[position] = data[place]
            position += 1
    offsets[begins.shape[0]] = position
    return position
