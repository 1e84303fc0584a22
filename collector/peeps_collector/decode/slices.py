# SPDX-License-Identifier: Apache-2.0
"""A request cut into small requests of the same kind, without parsing it as a whole: no step takes long, whatever its
size, and so nobody else has to wait for it.

Resource and scope are repeated in each slice. A slice has at most 200 records and, but for one that is larger by
itself, 128 KiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.message import Message

from ..receive.encoding import Undecodable, decode_request
from ..receive.request import Encoding, Signal
from .json_slices import json_slices

SLICE_RECORDS = 200
SLICE_BYTES = 128 << 10
_STEPS = 2000
_JSON_AT_ONCE = 32 << 10
_LENGTH = 2
_FIXED = {1: 8, 5: 4}
_LEVELS = {
    Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
    Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
    Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
}
Span = tuple[int, int]


def slices(signal: Signal, encoding: Encoding, body: bytes) -> Iterator[bytes | None]:
    """Protobuf requests; None after a step that yielded nothing yet. Raises Undecodable."""
    if encoding is Encoding.PROTOBUF:
        for part in _protobuf_slices(body):
            if part is not None:
                decode_request(signal, encoding, part)
            yield part
    elif len(body) <= _JSON_AT_ONCE:
        yield decode_request(signal, encoding, body).SerializeToString()
    else:
        for part in json_slices(signal, body, SLICE_RECORDS, SLICE_BYTES):
            yield part if part is None else decode_request(signal, encoding, part).SerializeToString()


def sole_head(body: bytes) -> bytes:
    """The resource of a protobuf request that is of one resource; empty of any other. Looks at its beginning only."""
    try:
        number, block, whole = next(_fields(body, 0, len(body)))
        if number != 1 or whole != (0, len(body)):
            return b""
        number, (begin, end), _ = next(_fields(body, *block))
    except (Undecodable, StopIteration):
        return b""
    return body[begin:end] if number == 1 else b""


def sole_slice(signal: Signal, encoding: Encoding, body: bytes) -> Message | None:
    """The request, read, where it is a slice as it is. Raises Undecodable."""
    if encoding is not Encoding.PROTOBUF or len(body) > SLICE_BYTES:
        return None
    message = decode_request(signal, encoding, body)
    blocks, scopes, records = _LEVELS[signal]
    count = sum(len(getattr(scope, records)) for one in getattr(message, blocks) for scope in getattr(one, scopes))
    return message if count <= SLICE_RECORDS else None


@dataclass(slots=True)
class _Scope:
    """The extents of what a ScopeSpans, ScopeLogs or ScopeMetrics is made of."""

    head: list[Span] = field(default_factory=list[Span])
    records: list[Span] = field(default_factory=list[Span])


def _protobuf_slices(body: bytes) -> Iterator[bytes | None]:
    """Field 1 of a request are the blocks of a resource; field 2 of such a block are those of a scope; field 2 of
    these are the records. All else is the head of its block."""
    steps = 0
    for number, block, _ in _fields(body, 0, len(body)):
        if number != 1:
            continue  # unknown: ignored, as OTLP says
        resource: list[Span] = []
        scopes: list[_Scope] = []
        for inner, inside, whole in _fields(body, *block):
            if inner != 2:
                resource.append(whole)
                continue
            scope = _Scope()
            for innermost, _, record in _fields(body, *inside):
                (scope.records if innermost == 2 else scope.head).append(record)
                steps += 1
                if steps % _STEPS == 0:
                    yield None
            scopes.append(scope)
        head = _joined(body, resource)
        if not scopes:
            yield _tagged(1, head)
        for scope in scopes:
            scope_head = _joined(body, scope.head)
            for start, end in _groups(scope.records):
                records = _joined(body, scope.records[start:end])
                yield _tagged(1, head + _tagged(2, scope_head + records))


def _groups(records: list[Span]) -> Iterator[tuple[int, int]]:
    start = size = 0
    for position, (begin, end) in enumerate(records):
        if position > start and (position - start >= SLICE_RECORDS or size + end - begin > SLICE_BYTES):
            yield start, position
            start, size = position, 0
        size += end - begin
    if start < len(records) or not records:
        yield start, len(records)


def _fields(body: bytes, start: int, end: int) -> Iterator[tuple[int, Span, Span]]:
    """Number, extent of the value, extent with its key. Only what has a length has a value worth looking into: of all
    else the number is 0. Raises Undecodable."""
    position = start
    while position < end:
        begin = position
        key, position = _varint(body, position, end)
        kind = key & 7
        if kind == _LENGTH:
            length, position = _varint(body, position, end)
            value = position, position + length
            position += length
        elif kind == 0:
            _, position = _varint(body, position, end)
            value = position, position
        elif kind in _FIXED:
            position += _FIXED[kind]
            value = position, position
        else:
            raise Undecodable(f"the body is not protobuf: wire type {kind} at byte {begin}")
        if position > end:
            raise Undecodable(
                f"the body ({len(body)} bytes) is not an OTLP request: a field at byte {begin} is cut off"
            )
        yield (key >> 3 if kind == _LENGTH else 0), value, (begin, position)


def _varint(body: bytes, position: int, end: int) -> tuple[int, int]:
    number = shift = 0
    while position < end and shift < 70:
        byte = body[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
        shift += 7
    raise Undecodable(f"the body ({len(body)} bytes) is not an OTLP request: a number at byte {position} is cut off")


def _joined(body: bytes, extents: list[Span]) -> bytes:
    return b"".join([body[start:end] for start, end in extents])


def _tagged(number: int, value: bytes) -> bytes:
    length = len(value)
    tag = bytearray([number << 3 | _LENGTH])
    while length > 127:
        tag.append(length & 127 | 128)
        length >>= 7
    tag.append(length)
    return bytes(tag) + value
