# SPDX-License-Identifier: Apache-2.0
"""Everything that OTLP carries is in the rows, or the sender is told that it is not."""

from __future__ import annotations

import math
from typing import Any

import orjson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from peeps_collector.decode.logs import decode_logs
from peeps_collector.decode.metrics import decode_metrics
from peeps_collector.decode.traces import decode_traces
from peeps_collector.store.schema import LOG, METRIC, SPAN, Row, Table
from tests.collector.collector_support import event, key_values, logs_request, resource

NOW = 99


def named(table: Table, row: Row) -> dict[str, Any]:
    return {
        name: orjson.loads(value) if kind == "JSON" and value is not None else value
        for (name, kind), value in zip(table.columns.items(), row, strict=True)
    }


def test_a_span() -> None:
    request = ExportTraceServiceRequest()
    block = request.resource_spans.add(resource=resource())
    part = block.scope_spans.add(schema_url="https://s")
    part.scope.name, part.scope.version = "lib", "1.2"
    part.scope.attributes.extend(key_values({"short": "x"}))
    span = part.spans.add(name="n", trace_state="a=b", flags=0x101, dropped_attributes_count=1)
    span.dropped_events_count, span.dropped_links_count = 2, 3
    span.events.add(name="e", time_unix_nano=1, dropped_attributes_count=4)
    span.links.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, trace_state="c=d", flags=1, dropped_attributes_count=5)
    (decoded,) = decode_traces(request, NOW)
    row = named(SPAN, decoded.rows[0])
    wanted: dict[str, Any] = {
        "trace_state": "a=b",
        "flags": 0x101,
        "dropped_attributes": 1,
        "dropped_events": 2,
        "dropped_links": 3,
        "scope_version": "1.2",
        "scope_attributes": {"short": "x"},
        "schema_url": "https://s",
        "resource": decoded.process.key,
        "events": [{"time_ns": 1, "name": "e", "attributes": {}, "dropped_attributes_count": 4}],
    }
    assert {key: row[key] for key in wanted} == wanted
    assert row["links"][0] | {"trace_state": "c=d", "flags": 1, "dropped_attributes_count": 5} == row["links"][0]


def test_metric_points() -> None:
    request = ExportMetricsServiceRequest()
    part = request.resource_metrics.add(resource=resource()).scope_metrics.add()
    total = part.metrics.add(name="total", description="what it is", unit="1", metadata=key_values({"m": 1}))
    total.sum.is_monotonic = True
    point = total.sum.data_points.add(as_int=2**53 + 1, flags=1)
    point.exemplars.add(as_double=1.5, time_unix_nano=7, trace_id=b"\1" * 16, filtered_attributes=key_values({"f": 1}))
    part.metrics.add(name="odd").gauge.data_points.add(as_double=math.nan, attributes=key_values({"x": math.inf}))
    wide = part.metrics.add(name="wide").exponential_histogram.data_points.add(zero_threshold=0.25, count=2**64 - 1)
    wide.attributes.extend(key_values({"none": -math.inf}))
    (decoded,) = decode_metrics(request, NOW)
    first, odd, last = (named(METRIC, row) for row in decoded.rows)
    assert (first["value_int"], first["monotonic"], first["description"]) == (2**53 + 1, True, "what it is")
    assert (first["flags"], first["metadata"]) == (1, {"m": 1})
    (exemplar,) = first["exemplars"]
    assert exemplar == {
        "time_ns": 7,
        "value": 1.5,
        "trace_id": "01" * 16,
        "span_id": "",
        "attributes": {"f": 1},
    }
    assert math.isnan(odd["value"])
    assert odd["attributes"] == {"x": "Infinity"}
    assert (last["detail"]["zero_threshold"], last["detail"]["count"]) == (0.25, 2**64 - 1)
    assert last["attributes"] == {"none": "-Infinity"}


def test_a_log_record() -> None:
    record = event("n", {"text": "null", "nothing": []}, time_ns=5)
    record.observed_time_unix_nano, record.flags, record.dropped_attributes_count = 6, 1, 2
    (decoded,) = decode_logs(logs_request(record), NOW)
    row = named(LOG, decoded.rows[0])
    assert (row["time_ns"], row["observed_ns"], row["flags"], row["dropped_attributes"]) == (5, 6, 1, 2)
    assert row["attributes"] == {"text": "null", "nothing": []}


def test_what_is_too_much_work_is_named_and_costs_only_itself() -> None:
    request = logs_request(
        event("small"), event("large", {"list": list(range(30_000))}), event("long", body="x" * 10**6)
    )
    (decoded,) = decode_logs(request, NOW)
    assert [named(LOG, row)["event_name"] for row in decoded.rows] == ["small", "long"]
    assert decoded.rejected == [
        "process shop (pid 4711): large: the record is not stored: it has more than 20000 values"
    ]
