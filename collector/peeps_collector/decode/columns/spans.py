# SPDX-License-Identifier: Apache-2.0
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""A trace request as Arrow batches of the table `span`, in steps.

Four passes, all of them compiled: where the spans are; what is in each; the text of their attributes; their strings.
Spans that are odd (events, links, values that are lists, anything that a column cannot say) become ordinary rows.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from ...store import arrow_columns as arrow
from ...store.schema import SPAN
from ..resource import ProcessInfo, Scope, process_of, scope_of
from ..rows import AT_ONCE, Decoded
from ..traces import KIND_WORDS, STATUS_WORDS, take_span
from . import text, walk
from .compiler import Array

_ROWS_AT_ONCE = 2048
_ATTRIBUTES_AT_ONCE = 1 << 16
_FEWEST = 16  # spans of one scope, below which columns cost more than rows
_KNOWN_MOST = 256
_HEAD_MOST = 16 << 10

Head = TypeVar("Head", ProcessInfo, Scope)
Steps = Generator[None, None, "list[Decoded] | None"]


class SpanColumns:
    """Decodes requests one after the other; what it works with is used again. Not thread-safe."""

    def __init__(self) -> None:
        self._table: Array = np.zeros((_ROWS_AT_ONCE, walk.SPAN_COLUMNS), np.int64)
        self._attributes: Array = np.zeros((_ATTRIBUTES_AT_ONCE, walk.ATTRIBUTE_COLUMNS), np.int64)
        self._processes = _Known(_process)
        self._scopes = _Known(_scope)

    def steps(self, body: bytes, now_ns: int) -> Steps:
        """All that is in a protobuf request. None where it is malformed: protobuf's own parser says in which way."""
        data = np.frombuffer(body, np.uint8)
        nothing: Array = np.zeros((0, 4), np.int64)
        counted, noted, scopes = walk.find_spans(data, nothing, nothing)
        if counted < 0:
            return None
        spans: Array = np.zeros((counted, 3), np.int64)
        heads: Array = np.zeros((noted, 4), np.int64)
        walk.find_spans(data, spans, heads)
        yield
        try:
            processes, origins = self._origins(body, heads.tolist())
            found = [Decoded(process) for process in processes]
            bounds = np.searchsorted(spans[:, 2], np.arange(scopes + 1)).tolist()
            for number, (process, scope) in enumerate(origins):
                part = _Part(body, data, spans, process, scope, now_ns)
                for decoded in self._decoded(part, bounds[number], bounds[number + 1]):
                    found.append(decoded)
                    yield
        except DecodeError:
            return None
        return found

    def _origins(
        self, body: bytes, heads: list[list[int]]
    ) -> tuple[list[ProcessInfo], list[tuple[ProcessInfo, Scope]]]:
        """The process of each resource, and of each scope its process and what it says of itself."""
        resources: dict[int, bytes] = {}
        scopes: dict[int, bytes] = {}
        resource_of: dict[int, int] = {}
        for what, number, begin, end in heads:
            if what == walk.SCOPE:
                resource_of[number] = begin
                scopes.setdefault(number, b"")
            else:
                heads_of = resources if what == walk.OF_RESOURCE else scopes
                heads_of[number] = heads_of.get(number, b"") + body[begin:end]
        for number in resource_of.values():
            resources.setdefault(number, b"")
        processes = {number: self._processes.of(head) for number, head in resources.items()}
        origins = [(processes[resource_of[number]], self._scopes.of(scopes[number])) for number in sorted(scopes)]
        return list(processes.values()), origins

    def _decoded(self, part: _Part, first: int, last: int) -> Iterator[Decoded]:
        """The spans from `first` to before `last`, which are of one scope."""
        if last - first < _FEWEST:
            yield from part.rows(range(first, last))
            return
        while first < last:
            done, used = walk.read_spans(part.data, part.spans, first, last, self._table, self._attributes)
            table = self._table[:done]
            odd = (first + np.flatnonzero(table[:, walk.ODD])).tolist()
            plain = table[table[:, walk.ODD] == 0]
            if len(plain):
                yield part.batch(plain, self._attributes[:used])  # and then another request may have the matrices
            yield from part.rows(odd)
            first += done


class _Part:
    """The spans of one scope."""

    def __init__(self, body: bytes, data: Array, spans: Array, process: ProcessInfo, scope: Scope, now_ns: int) -> None:
        self._body = body
        self.data = data
        self.spans = spans
        self._process = process
        self._scope = scope
        self._now_ns = now_ns

    def rows(self, numbers: Sequence[int]) -> Iterator[Decoded]:
        """Spans as rows, by protobuf's own parser. Raises DecodeError."""
        for start in range(0, len(numbers), AT_ONCE):
            found = Decoded(self._process)
            for begin, end, _ in self.spans[list(numbers[start : start + AT_ONCE])].tolist():
                take_span(Span.FromString(self._body[begin:end]), found, self._scope, self._now_ns)
            yield found

    def batch(self, table: Array, attributes: Array) -> Decoded:
        """Spans as columns; none of them is odd."""
        rows = len(table)
        scope, version, scope_attributes, schema_url = self._scope.row
        process, data = self._process, self.data
        columns: dict[str, Any] = {
            "process": arrow.constant(process.id, rows),
            "service": arrow.constant(process.service, rows),
            "trace_id": _ids(data, table[:, walk.TRACE], 16),
            "span_id": _ids(data, table[:, walk.ID], 8),
            "parent_span_id": _ids(data, table[:, walk.PARENT], 8),
            "name": _strings(data, table[:, walk.NAME], table[:, walk.NAME_SIZE]),
            "kind": arrow.words(table[:, walk.KIND], KIND_WORDS),
            "start_ns": _known(table[:, walk.START]),
            "end_ns": _known(table[:, walk.END]),
            "status": arrow.words(table[:, walk.STATUS], STATUS_WORDS),
            "status_message": _strings(data, table[:, walk.MESSAGE], table[:, walk.MESSAGE_SIZE], empty=False),
            "scope": arrow.constant(scope, rows),
            "attributes": _json(data, table, attributes),
            "events": arrow.constant(None, rows),
            "links": arrow.constant(None, rows),
            "received_ns": arrow.numbers(np.full(rows, self._now_ns, np.int64)),
            "trace_state": _strings(data, table[:, walk.STATE], table[:, walk.STATE_SIZE], empty=False),
            "flags": arrow.numbers(table[:, walk.FLAGS].copy()),
            "dropped_attributes": arrow.numbers(table[:, walk.DROPPED_ATTRIBUTES].copy()),
            "dropped_events": arrow.numbers(table[:, walk.DROPPED_EVENTS].copy()),
            "dropped_links": arrow.numbers(table[:, walk.DROPPED_LINKS].copy()),
            "scope_version": arrow.constant(version, rows),
            "scope_attributes": arrow.constant(scope_attributes, rows),
            "schema_url": arrow.constant(schema_url, rows),
            "resource": arrow.constant(process.key, rows),
        }
        return Decoded(process, batch=arrow.batch(SPAN, columns))


def example() -> bytes:
    """A request that takes every way through here once."""
    block = ResourceSpans()
    scope = block.scope_spans.add()
    for number in range(2 * _FEWEST):
        span = scope.spans.add(trace_id=bytes(16), span_id=bytes(8), name="\u00e9\n", start_time_unix_nano=1, flags=1)
        span.attributes.add(key="text").value.string_value = "\x01\u20ac"
        span.attributes.add(key="whole").value.int_value = -number
        span.attributes.add(key="share").value.double_value = 0.5
        span.attributes.add(key="yes").value.bool_value = True
        if number % 2:
            span.events.add(name="odd")
    return ExportTraceServiceRequest(resource_spans=[block]).SerializeToString()


class _Known(Generic[Head]):
    """What the heads of blocks say, by their bytes: most requests of a sender begin alike."""

    def __init__(self, read: Callable[[bytes], Head]) -> None:
        """`read` raises DecodeError."""
        self._read = read
        self._heads: dict[bytes, Head] = {}

    def of(self, head: bytes) -> Head:
        known = self._heads.get(head)
        if known is None:
            known = self._read(head)
            if len(self._heads) >= _KNOWN_MOST:
                self._heads.clear()
            if len(head) <= _HEAD_MOST:
                self._heads[head] = known
        return known


def _process(head: bytes) -> ProcessInfo:
    block = ResourceSpans.FromString(head)
    return process_of(block.resource, block.schema_url)


def _scope(head: bytes) -> Scope:
    block = ScopeSpans.FromString(head)
    return scope_of(block.scope, block.schema_url)


def _known(values: Array) -> Any:
    """A time; null where there is none."""
    return arrow.numbers(values.copy(), values != 0)


def _strings(data: Array, begins: Array, sizes: Array, empty: bool = True) -> Any:
    """`empty`: an empty string is one; else it is null."""
    out = np.empty(int(sizes.sum()), np.uint8)
    offsets = np.empty(len(begins) + 1, np.int32)
    text.write_strings(data, begins, sizes, out, offsets)
    return arrow.strings(offsets, out, None if empty else sizes > 0)


def _ids(data: Array, begins: Array, size: int) -> Any:
    """In hexadecimal; null where there is none."""
    there = begins > 0
    offsets = np.zeros(len(begins) + 1, np.int32)
    np.cumsum(there * (2 * size), out=offsets[1:])
    out = np.empty(int(offsets[-1]), np.uint8)
    text.write_hexadecimal(data, begins, size, out)
    return arrow.strings(offsets, out, None if there.all() else there)


def _json(data: Array, table: Array, attributes: Array) -> Any:
    """What orjson would write. Numbers with a point are: the shortest digits that mean them are an art of their own."""
    doubles = attributes[attributes[:, walk.TYPE] == walk.DOUBLE, walk.VALUE].copy().view(np.float64)
    digits = np.frombuffer(orjson.dumps(doubles, option=orjson.OPT_SERIALIZE_NUMPY), np.uint8)[1:]
    ends = np.flatnonzero((digits == ord(",")) | (digits == ord("]")))
    out = np.empty(text.json_room(attributes, len(table)), np.uint8)
    offsets = np.empty(len(table) + 1, np.int32)
    used = text.write_json(data, table, attributes, digits, ends, out, offsets)
    return arrow.strings(offsets, out[:used])
