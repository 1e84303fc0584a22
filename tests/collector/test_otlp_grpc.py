# SPDX-License-Identifier: Apache-2.0
"""OTLP/gRPC, on the same port as HTTP: bytes by hand and the stock exporters of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from peeps_otel.model import Node, NodeKind
from tests.collector.collector_support import Program, Running, event, logs_request, new_id
from tests.support.waiting import eventually

LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def test_a_snapshot_and_a_bad_record(shared: Running) -> None:
    program = Program()
    node = Node(new_id(NodeKind.TASK), NodeKind.TASK, "one", 1, "app.py:1")
    bad = program.request(event("peeps.node", {"peeps.node.id": "task:?"}), event("note", body="kept"))
    with grpc.insecure_channel(shared.otlp) as channel:
        export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(LOGS)
        for request in (program.snapshot([node], key_frame=True), program.snapshot([])):
            assert export(request.SerializeToString(), timeout=20) == b""
        assert [n["name"] for n in shared.get("/api/snapshot")["nodes"]] == ["one"]
        answer = ExportLogsServiceResponse.FromString(export(bad.SerializeToString(), timeout=20))
    assert answer.partial_success.rejected_log_records == 1
    assert answer.partial_success.error_message.startswith("process shop (pid 4711): peeps.node: peeps.node.id")
    eventually(lambda: shared.sql("SELECT body FROM log WHERE event_name = 'note'") == [["kept"]])


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        (LOGS, b"\xff\xff", grpc.StatusCode.INVALID_ARGUMENT),
        ("/opentelemetry.proto.collector.logs.v1.LogsService/Nothing", b"", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_errors(shared: Running, method: str, body: bytes, code: grpc.StatusCode) -> None:
    with grpc.insecure_channel(shared.otlp) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(method)(body, timeout=20)
    assert caught.value.code() is code


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("small"), PEEPS_MAX_REQUEST_BYTES="100000")
    yield running
    running.end()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_too_large(small: Running, compression: grpc.Compression) -> None:
    request = logs_request(event("big", body="x" * 200_000)).SerializeToString()
    with (
        grpc.insecure_channel(small.otlp, compression=compression) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        channel.unary_unary(LOGS)(request, timeout=20)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_stock_exporters_are_foreign_but_welcome(shared: Running, transport: str) -> None:
    exporter: SpanExporter = (
        GrpcSpanExporter(endpoint=f"http://{shared.otlp}", insecure=True)
        if transport == "grpc"
        else HttpSpanExporter(endpoint=f"http://{shared.otlp}/v1/traces")
    )
    provider = TracerProvider(resource=Resource({"service.name": transport}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("t").start_as_current_span("work", attributes={"k": "v"}) as span:
        span.add_event("happened")
    provider.shutdown()
    read = "SELECT name, attributes->>'k', events->0->>'name' FROM span WHERE service = ?"
    assert eventually(lambda: shared.sql(read, transport)) == [["work", "v", "happened"]]
    (process,) = (one for one in shared.get("/api/processes")["processes"] if one["service"] == transport)
    assert process["state"] == "foreign"
    assert "tasks" not in process
    verdict = shared.get(f"/api/findings?process={process['id']}")["verdict"]
    assert verdict["sentence"] == "No program is connected."


def test_stock_metrics(shared: Running) -> None:
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"http://{shared.otlp}/v1/metrics"))
    provider = MeterProvider(metric_readers=[reader], resource=Resource({"service.name": "foreign"}))
    provider.get_meter("t").create_counter("requests", unit="{request}").add(3, {"route": "/"})
    provider.shutdown()
    rows = eventually(
        lambda: shared.sql("SELECT value, unit, attributes->>'route' FROM metric WHERE name = 'requests'")
    )
    assert rows == [[3.0, "{request}", "/"]]


def test_profiles_are_refused_in_words(shared: Running) -> None:
    with grpc.insecure_channel(shared.otlp) as channel:
        method = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
        export = cast("Callable[[bytes], object]", channel.unary_unary(method))
        with pytest.raises(grpc.RpcError) as refused:
            export(b"")
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert error.details().startswith("profiles are not taken, only traces, metrics and logs")
