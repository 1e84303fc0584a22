# SPDX-License-Identifier: Apache-2.0
"""The packed columns of a protobuf message as arrays, without a Python number for each value.

Of the bytes that protobuf itself writes of a message that it has read: each column is in one piece there, and every
number as short as it can be, whatever the sender's bytes were like.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import cache

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from numpy.typing import NDArray

from .mixing import Whole

_AT_ONCE = 1 << 18
_LAST = 0x80
Bytes = NDArray[np.uint8]


def columns_of(message: Message) -> Generator[None, None, dict[str, Whole]]:
    """Its repeated numbers by the names of their fields; what is absent or no such number is not there. A number of 64
    bits that is too large is below 0. In slices."""
    message.DiscardUnknownFields()
    written = message.SerializeToString()
    yield
    names = _columns(message.DESCRIPTOR)
    found: dict[str, Whole] = {}
    for number, begin, end in _fields(written):
        column = names.get(number)
        if column is None:
            continue
        name, kind = column
        data = np.frombuffer(written, np.uint8, end - begin, begin)
        if kind == FieldDescriptor.TYPE_FIXED64:
            found[name] = data.view(np.int64)
        else:
            found[name] = yield from _varints(data, kind == FieldDescriptor.TYPE_SINT64)
        yield
    return found


@cache
def _columns(descriptor: Descriptor) -> dict[int, tuple[str, int]]:
    kinds = (FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_UINT32)
    return {field.number: (field.name, field.type) for field in descriptor.fields if field.type in kinds}


def _fields(written: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of each field that has a length: all that there are in a message of columns."""
    place = 0
    while place < len(written):
        tag, place = _varint(written, place)
        size, place = _varint(written, place)
        yield tag >> 3, place, place + size
        place += size


def _varint(written: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = written[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < _LAST:
            return value, place


def _varints(data: Bytes, signed: bool) -> Generator[None, None, Whole]:
    parts: list[NDArray[np.uint64]] = []
    while len(data):
        some = data[:_AT_ONCE]
        ends = np.flatnonzero(some < _LAST)
        some, data = data[: ends[-1] + 1], data[ends[-1] + 1 :]
        parts.append(some.astype(np.uint64) if len(ends) == len(some) else _joined(some, ends))
        yield
    values = parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.uint64), *parts])
    if signed:
        values = (values >> np.uint64(1)) ^ (np.uint64(0) - (values & np.uint64(1)))
    return values.view(np.int64)


def _joined(data: Bytes, ends: NDArray[np.intp]) -> NDArray[np.uint64]:
    """`ends`: the last byte of each number."""
    begins = np.concatenate((np.zeros(1, np.intp), ends[:-1] + 1))
    sizes = ends - begins
    values = (data[begins] & 0x7F).astype(np.uint64)
    for number in range(1, int(sizes.max()) + 1):
        longer = np.flatnonzero(sizes >= number)
        values[longer] |= (data[begins[longer] + number] & 0x7F).astype(np.uint64) << np.uint64(7 * number)
    return values
