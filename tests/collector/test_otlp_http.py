# SPDX-License-Identifier: Apache-2.0
"""OTLP/HTTP: a sentence of the specification (or a rule of the receiver) and the case that holds it."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from tests.collector.collector_support import Running, event, logs_request
from tests.support.network import Answer, http
from tests.support.waiting import eventually

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def post(collector: Running, path: str, body: bytes, media_type: str = PROTOBUF, **headers: str) -> Answer:
    sent = {"content-type": media_type} | {key.replace("_", "-"): value for key, value in headers.items()}
    return http(f"http://{collector.otlp}{path}", body, sent)


def traces(name: str = "GET /") -> bytes:
    span = Span(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN), name=name, start_time_unix_nano=1)
    block = ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])
    return ExportTraceServiceRequest(resource_spans=[block]).SerializeToString()


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics", "/v1/logs"])
@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
def test_an_empty_request_succeeds_with_an_empty_response(shared: Running, path: str, media_type: str) -> None:
    answer = post(shared, path, b"{}" if media_type == JSON else b"", media_type)
    assert (answer.status, answer.headers["content-type"]) == (200, media_type)
    assert answer.body == (b"{}" if media_type == JSON else b"")


@pytest.mark.parametrize(
    ("compression", "compress"),
    [("identity", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_compressions(shared: Running, compression: str, compress: Any) -> None:
    assert post(shared, "/v1/traces", compress(traces(compression)), content_encoding=compression).status == 200
    eventually(lambda: shared.sql("SELECT trace_id, span_id FROM span WHERE name = ?", compression) == [[TRACE, SPAN]])


def test_a_charset_in_the_content_type_is_ignored(shared: Running) -> None:
    assert post(shared, "/v1/logs", b"{}", "application/json; charset=utf-8").status == 200


@pytest.mark.parametrize(
    ("status", "path", "method", "media_type", "body"),
    [
        (405, "/v1/traces", "GET", PROTOBUF, None),
        (404, "/v1/profiles", "POST", PROTOBUF, b""),
        (415, "/v1/traces", "POST", "text/plain", b""),
        (415, "/v1/traces", "POST", "", b""),
        (400, "/v1/traces", "POST", PROTOBUF, b"\xff\xff\xff"),
        (400, "/v1/metrics", "POST", PROTOBUF, b"\x0a\x05a"),
    ],
)
def test_errors_are_a_status_in_protobuf(
    shared: Running, status: int, path: str, method: str, media_type: str, body: bytes | None
) -> None:
    answer = http(f"http://{shared.otlp}{path}", body, {"content-type": media_type}, method)
    assert answer.status == status
    assert Status.FromString(answer.body).message


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"resourceSpans": 5}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"abcd"}]}]}]}',
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
    ],
    ids=["cut off", "array", "type", "not hexadecimal", "short id", "deep"],
)
def test_errors_of_json_are_a_status_in_json(shared: Running, body: bytes) -> None:
    answer = post(shared, "/v1/traces", body, JSON)
    assert answer.status == 400
    assert answer.json()["message"]
    assert answer.json()["code"] == 3


@pytest.mark.parametrize("number", ["1544712660000000000", 1544712660000000000])
def test_json_has_hexadecimal_ids_numbers_as_text_or_number_and_unknown_fields(shared: Running, number: Any) -> None:
    span = {
        "traceId": TRACE.upper(),
        "spanId": SPAN,
        "parentSpanId": "",
        "name": f"with {number!r}",
        "kind": 2,
        "startTimeUnixNano": number,
        "notKnown": {"traceId": TRACE},
        "attributes": [{"key": "n", "value": {"intValue": number}}],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}], "new": 1}
    assert post(shared, "/v1/traces", json.dumps(body).encode(), JSON).status == 200
    rows = eventually(
        lambda: shared.sql(
            "SELECT trace_id, span_id, kind, start_ns, service, attributes->>'n' FROM span WHERE name = ?",
            f"with {number!r}",
        )
    )
    assert rows == [[TRACE, SPAN, "server", 1544712660000000000, "shop", "1544712660000000000"]]


def test_too_large(start: Any) -> None:
    collector = start(PEEPS_MAX_REQUEST_BYTES="100000")
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 100_000
    answer = post(collector, "/v1/logs", bomb, content_encoding="gzip")
    assert answer.status == 413
    assert "100000 bytes" in Status.FromString(answer.body).message
    assert post(collector, "/v1/logs", b"", PROTOBUF).status == 200


def test_a_length_over_the_limit_is_refused_before_the_body_is_read(start: Any) -> None:
    collector = start(PEEPS_MAX_REQUEST_BYTES="1000")
    host, port = collector.otlp.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(traces())[:-9]], ids=["other", "cut off"])
def test_broken_compression_is_a_bad_request(shared: Running, body: bytes) -> None:
    assert post(shared, "/v1/traces", body, content_encoding="gzip").status == 400


def test_unknown_compression(shared: Running) -> None:
    assert post(shared, "/v1/traces", b"", content_encoding="br").status == 415


def test_partial_success_in_json(shared: Running) -> None:
    record: dict[str, Any] = {"eventName": "peeps.node", "attributes": []}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record, {"body": {"stringValue": "x"}}]}]}]})
    answer = post(shared, "/v1/logs", body.encode(), JSON)
    assert answer.status == 200
    partial = answer.json()["partialSuccess"]
    assert partial["rejectedLogRecords"] == "1"
    assert "peeps.node.id is missing" in partial["errorMessage"]


def test_a_success_has_no_partial_success(shared: Running) -> None:
    answer = post(shared, "/v1/logs", logs_request(event("", body="hello")).SerializeToString())
    assert not ExportLogsServiceResponse.FromString(answer.body).HasField("partial_success")
    rows = eventually(lambda: shared.sql("SELECT service, body, process FROM log WHERE body = 'hello'"))
    assert rows == [["shop", "hello", "app-1"]]


def test_metrics_of_every_kind(shared: Running) -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="g").gauge.data_points.add(as_int=3, time_unix_nano=5)
    total = metrics.add(name="s")
    total.sum.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
    total.sum.data_points.add(as_double=1.5)
    metrics.add(name="h").histogram.data_points.add(count=2, sum=3.0, bucket_counts=[1, 1], explicit_bounds=[1.0])
    metrics.add(name="e").exponential_histogram.data_points.add(count=1, sum=2.0, max=2.0)
    metrics.add(name="q").summary.data_points.add(count=1, sum=4.0)
    assert post(shared, "/v1/metrics", request.SerializeToString()).status == 200
    rows = eventually(lambda: shared.sql("SELECT name, kind, value, count, temporality FROM metric ORDER BY name"))
    assert rows == [
        ["e", "exponential_histogram", 2.0, 1, None],
        ["g", "gauge", 3.0, None, None],
        ["h", "histogram", 3.0, 2, None],
        ["q", "summary", 4.0, 1, None],
        ["s", "sum", 1.5, None, "cumulative"],
    ]


def test_times_out_of_range_cost_only_themselves(shared: Running) -> None:
    request = ExportTraceServiceRequest.FromString(traces("near"))
    other = request.resource_spans[0].scope_spans[0].spans.add(name="far", start_time_unix_nano=(1 << 64) - 1)
    other.attributes.add(key="deep").value.array_value.values.add().double_value = float("nan")
    assert post(shared, "/v1/traces", request.SerializeToString()).status == 200
    rows = eventually(lambda: shared.sql("SELECT name, start_ns FROM span WHERE name IN ('near', 'far') ORDER BY name"))
    assert rows == [["far", None], ["near", 1]]


def test_keep_alive_and_pipelining(shared: Running) -> None:
    host, port = shared.otlp.split(":")
    request = b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request * 3)
        seen = b""
        while seen.count(b"HTTP/1.1 200") < 3:
            piece = connection.recv(4096)
            assert piece
            seen += piece


def test_profiles_are_refused_in_words(shared: Running) -> None:
    answer = http(f"http://{shared.otlp}/v1development/profiles", b"", {"content-type": "application/x-protobuf"})
    assert answer.status == 404
    assert Status.FromString(answer.body).message.startswith("profiles are not taken, only traces, metrics and logs")
