# SPDX-License-Identifier: Apache-2.0
"""Spans that became columns are the rows that protobuf's own parser would have made of them."""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from peeps_collector.decode.compiled import Compiled, SpanDecoder
from peeps_collector.decode.rows import Decoded
from peeps_collector.decode.slices import slices
from peeps_collector.decode.traces import decode_traces
from peeps_collector.receive.encoding import Undecodable
from peeps_collector.receive.request import Encoding, Signal
from peeps_collector.store.schema import SPAN, Row
from tests.support.collector import Collector
from tests.support.examples import examples
from tests.support.network import http
from tests.support.waiting import eventually

_NOW_NS = 77


@cache
def _decoder() -> SpanDecoder:
    from peeps_collector.decode.columns.spans import SpanColumns  # and Numba, which takes long to import

    return SpanColumns()


def example() -> bytes:
    from peeps_collector.decode.columns.spans import example

    return example()


def decoded(body: bytes) -> list[Decoded] | None:
    steps = _decoder().steps(body, _NOW_NS)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def by_columns(body: bytes) -> list[Row] | None:
    """The rows of a request, in no order."""
    found = decoded(body)
    return None if found is None else sorted(_rows(found), key=repr)


def by_objects(body: bytes) -> list[Row] | None:
    try:
        parts = [part for part in slices(Signal.TRACES, Encoding.PROTOBUF, body) if part is not None]
    except Undecodable:
        return None
    found = [d for part in parts for d in decode_traces(ExportTraceServiceRequest.FromString(part), _NOW_NS)]
    return sorted(_rows(found), key=repr)


def _rows(found: list[Decoded]) -> list[Row]:
    rows: list[Row] = []
    for decoded in found:
        rows += decoded.rows
        if decoded.batch is not None:
            rows += [tuple(row[name] for name in SPAN.columns) for row in decoded.batch.to_pylist()]
    return rows


_WORDS = ("", "GET /a", 'quote " \\ \n\t\r\b\f\x00\x1f\x7f', "é€\U0001f600", "x" * 200)


class Sender:
    """Makes requests of all that OTLP allows, by chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def request(self) -> bytes:
        request = ExportTraceServiceRequest()
        for _ in range(self.chance.randrange(3)):
            block = request.resource_spans.add(schema_url=self._text())
            if self.chance.random() < 0.7:
                block.resource.attributes.extend(self._attributes(self._any))
            for _ in range(self.chance.randrange(3)):
                scope = block.scope_spans.add(schema_url=self._text())
                scope.scope.name = self._text()
                share = self.chance.choice((0.0, 0.1, 1.0))
                for _ in range(self.chance.choice((0, 1, 16, 30))):
                    self._span(scope.spans.add(), odd=self.chance.random() < share)
        return request.SerializeToString()

    def broken(self) -> bytes:
        body = bytearray(self.request())
        for _ in range(self.chance.randrange(1, 8)):
            place = self.chance.randrange(len(body) + 1)
            match self.chance.randrange(3):
                case 0:
                    body[place : place + 1] = self.chance.randbytes(1)
                case 1:
                    del body[place : place + self.chance.randrange(4)]
                case _:
                    body[place:place] = self.chance.randbytes(3)
        return bytes(body)

    def _span(self, span: Span, odd: bool) -> None:
        chance = self.chance
        span.trace_id, span.span_id = chance.randbytes(16), chance.randbytes(8)
        span.parent_span_id = chance.choice((b"", chance.randbytes(8)))
        span.trace_state, span.name = self._text(), self._text()
        span.kind = chance.choice(list(Span.SpanKind.values()))
        span.start_time_unix_nano, span.end_time_unix_nano = self._number(64), self._number(64)
        span.dropped_attributes_count, span.dropped_events_count = self._number(32), self._number(32)
        span.dropped_links_count, span.flags = self._number(32), self._number(32)
        if chance.random() < 0.7:
            span.status.message, span.status.code = self._text(), chance.choice(list(Status.StatusCode.values()))
        span.attributes.extend(self._attributes(self._any if odd else self._plain))
        if odd and chance.random() < 0.5:
            span.trace_id, span.span_id = chance.randbytes(chance.randrange(18)), b""
            span.events.add(name=self._text()).attributes.extend(self._attributes(self._any))
            span.links.add(trace_id=chance.randbytes(16), flags=self._number(32))

    def _attributes(self, value: Callable[[], AnyValue]) -> list[KeyValue]:
        return [KeyValue(key=self._text(), value=value()) for _ in range(self.chance.randrange(7))]

    def _plain(self) -> AnyValue:
        match self.chance.randrange(4):
            case 0:
                return AnyValue(string_value=self._text())
            case 1:
                return AnyValue(bool_value=self.chance.random() < 0.5)
            case 2:
                return AnyValue(int_value=self._number(64) - (1 << 63))
            case _:
                return AnyValue(double_value=self._double())

    def _any(self) -> AnyValue:
        match self.chance.randrange(6):
            case 0:
                return AnyValue()
            case 1:
                return AnyValue(bytes_value=self.chance.randbytes(3))
            case 2:
                return AnyValue(array_value=ArrayValue(values=[self._plain(), self._plain()]))
            case 3:
                return AnyValue(kvlist_value=KeyValueList(values=self._attributes(self._plain)))
            case _:
                return self._plain()

    def _text(self) -> str:
        random_text = "".join(map(chr, self.chance.choices(range(1, 0xD7FF), k=self.chance.randrange(8))))
        return self.chance.choice((*_WORDS, random_text))

    def _number(self, bits: int) -> int:
        return self.chance.choice((0, 1, 257, (1 << bits) - 1, 1 << (bits - 1), self.chance.getrandbits(bits)))

    def _double(self) -> float:
        (any_double,) = struct.unpack("<d", self.chance.randbytes(8))
        return self.chance.choice((0.0, -0.0, 1.0, 0.1, 1e16, float("nan"), float("inf"), any_double))


_SOME = settings(max_examples=examples(300), deadline=None)


@given(st.integers(0, 1 << 40))
@_SOME
def test_columns_are_the_rows_that_objects_give(seed: int) -> None:
    body = Sender(seed).request()
    assert by_columns(body) == by_objects(body)


@given(st.integers(0, 1 << 40))
@_SOME
def test_what_is_broken_is_left_to_objects_or_read_as_they_do(seed: int) -> None:
    """And never read past its end."""
    body = Sender(seed).broken()
    assert by_columns(body) in (None, by_objects(body))


def test_a_plain_span_becomes_a_column_and_not_an_object() -> None:
    found = decoded(example())
    assert found is not None
    kinds = [(len(part.rows), None if part.batch is None else part.batch.num_rows) for part in found]
    assert kinds == [(0, None), (0, 16), (16, None)]


def test_doubles_are_written_with_the_shortest_digits() -> None:
    values = [0.1, 1e300, -5e-324, 1.0, 123456789.125, -0.0, 1e16, 2.5e-7]
    span = Span(trace_id=bytes(range(16)), span_id=bytes(range(8)))
    for number, value in enumerate(values):
        span.attributes.add(key=str(number)).value.double_value = value
    scope = ScopeSpans(spans=[span] * 16)
    body = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[scope])]).SerializeToString()
    rows = by_columns(body)
    assert rows is not None
    written = orjson.loads(rows[0][list(SPAN.columns).index("attributes")])
    assert list(written.values()) == values


def test_a_span_with_a_thousand_attributes_goes_the_ordinary_way() -> None:
    """Whether two keys are alike is asked of each pair."""
    span = Span(trace_id=bytes(range(16)), span_id=bytes(range(8)))
    for number in range(1000):
        span.attributes.add(key=f"key-{number}").value.int_value = number
    scope = ScopeSpans(spans=[span] * 100)
    body = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[scope])]).SerializeToString()
    assert by_columns(body) == by_objects(body)


def test_an_index_beyond_the_bytes_is_an_error() -> None:
    from peeps_collector.decode.columns import text

    data, out = np.arange(16, dtype=np.uint8), np.zeros(64, np.uint8)
    with pytest.raises(IndexError):
        text.write_hexadecimal(data, np.array([9]), 8, out)
    with pytest.raises(IndexError):
        text.write_strings(data, np.array([0]), np.array([17]), out, np.zeros(2, np.int32))


def test_without_numba_there_is_no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    compiled = Compiled()
    assert (compiled.ask(), compiled.ask()) == (None, None)


def test_both_kinds_of_span_of_one_request_are_in_the_database(tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    try:
        assert collector.get("/health")["span_decoder"] == "objects"
        for _ in range(2):  # it gets ready once somebody sends spans
            body = example() * 2  # a small request is decoded the ordinary way in any case
            sent = http(f"http://{collector.otlp}/v1/traces", body, {"content-type": "application/x-protobuf"})
            assert sent.status == 200
            eventually(lambda: collector.get("/health")["span_decoder"] == "columns", "the decoder is compiled")
        statement = "SELECT count(*), count(events), min(name), min(json_extract(attributes, '$.whole')::INT) FROM span"
        eventually(lambda: collector.sql(statement) == [[128, 64, "\u00e9\n", -31]], "all of them are stored")
    finally:
        collector.end()
