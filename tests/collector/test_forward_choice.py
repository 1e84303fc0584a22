# SPDX-License-Identifier: Apache-2.0
"""What of a request goes on, by which way, and the collector's own metrics."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from peeps_collector.config import Config, ConfigError
from peeps_collector.forward import Backend
from peeps_collector.forward_choice import Choice
from peeps_collector.forward_transport import Item
from peeps_collector.receive.request import Encoding, Signal
from tests.collector.collector_support import event, key_values, logs_request, resource
from tests.collector.conftest import Start
from tests.support.network import http
from tests.support.waiting import eventually

LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def chosen(choice: Choice, signal: Signal, body: bytes, encoding: Encoding = Encoding.PROTOBUF) -> bytes | None:
    found = choice.of(signal, encoding, body)
    assert found is None or found[0] is Encoding.PROTOBUF
    return None if found is None else found[1]


def test_log_records_are_chosen_by_their_own_attributes_and_by_those_of_their_resource() -> None:
    request = logs_request(event("", {"level": "high"}, "a"), event("", {"level": "low"}, "b"), event("", {}, "c"))
    request.MergeFrom(logs_request(event("", {"level": "high"}, "other"), source=resource("x", service="pay")))
    body = request.SerializeToString()

    def bodies(**conditions: str) -> list[str]:
        found = chosen(Choice({key.replace("_", "."): text for key, text in conditions.items()}), Signal.LOGS, body)
        blocks = ExportLogsServiceRequest.FromString(found or b"").resource_logs
        return [one.body.string_value for block in blocks for scope in block.scope_logs for one in scope.log_records]

    assert bodies(service_name="shop") == ["a", "b", "c"]
    assert bodies(level="high") == ["a", "other"]
    assert bodies(service_name="shop|nobody", level="h.*") == ["a"]
    assert bodies(process_pid="4711", service_name="pa") == []
    assert bodies(process_pid="4711", service_name="pay") == ["other"]


def test_spans_and_metric_points_are_chosen_too() -> None:
    traces = ExportTraceServiceRequest()
    spans = traces.resource_spans.add().scope_spans.add().spans
    for name in ("GET", "PUT"):
        spans.add(name=name, attributes=key_values({"method": name}))
    [block] = ExportTraceServiceRequest.FromString(
        chosen(Choice({"method": "PUT"}), Signal.TRACES, traces.SerializeToString()) or b""
    ).resource_spans
    assert [span.name for scope in block.scope_spans for span in scope.spans] == ["PUT"]

    metrics = ExportMetricsServiceRequest()
    scope = metrics.resource_metrics.add().scope_metrics.add()
    for name in ("GET", "PUT"):
        scope.metrics.add(name="all").sum.data_points.add(as_int=1, attributes=key_values({"method": name}))
    scope.metrics[0].sum.data_points.add(as_int=2, attributes=key_values({"method": "PUT"}))
    choice = Choice({"method": "PUT"})
    found = ExportMetricsServiceRequest.FromString(chosen(choice, Signal.METRICS, metrics.SerializeToString()) or b"")
    points = [m.sum.data_points for m in found.resource_metrics[0].scope_metrics[0].metrics]
    assert [[point.as_int for point in some] for some in points] == [[2], [1]]
    assert chosen(Choice({"method": "POST"}), Signal.METRICS, metrics.SerializeToString()) is None


class Receiver:
    """OTLP/gRPC, as a backend has it. `refusals`: status, and seconds of a RetryInfo where it has one."""

    def __init__(self) -> None:
        self.refusals: list[tuple[grpc.StatusCode, int | None]] = []
        self.received: list[tuple[bytes, dict[str, str]]] = []
        self._server = grpc.server(ThreadPoolExecutor(1))
        library: Any = grpc
        handler = library.unary_unary_rpc_method_handler(self._export)
        service = LOGS.split("/")[1]
        generic = grpc.method_handlers_generic_handler(service, {"Export": handler})
        self._server.add_generic_rpc_handlers((generic,))
        self.url = f"grpc://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _export(self, body: bytes, context: Any) -> bytes:
        self.received.append((body, dict(context.invocation_metadata())))
        if self.refusals:
            code, seconds = self.refusals.pop(0)
            if seconds is not None:
                details = AnyMessage()
                details.Pack(RetryInfo(retry_delay=Duration(seconds=seconds)))
                status = Status(code=code.value[0], details=[details]).SerializeToString()
                context.set_trailing_metadata((("grpc-status-details-bin", status),))
            context.abort(code, "not now")
        return b""

    def close(self) -> None:
        self._server.stop(0).wait()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_by_grpc_it_is_tried_again_while_that_has_a_chance(receiver: Receiver) -> None:
    codes = grpc.StatusCode
    receiver.refusals = [
        (codes.UNAVAILABLE, None),
        (codes.RESOURCE_EXHAUSTED, 7),
        (codes.RESOURCE_EXHAUSTED, None),
        (codes.INVALID_ARGUMENT, None),
    ]
    pauses: list[float] = []
    backend = Backend(receiver.url, {"X-Key": "v"}, 1000, pauses.append)
    backend.start()
    for body in (b"late", b"wrong", b"fine"):
        backend.offer(Item(Signal.LOGS, Encoding.PROTOBUF, body))
    backend.offer(Item(Signal.LOGS, Encoding.JSON, b'{"resourceLogs": [{"schemaUrl": "s"}]}'))
    eventually(lambda: (backend.sent, backend.rejected) == (2, 2))
    backend.close()
    backend.join()
    last = ExportLogsServiceRequest.FromString(receiver.received[-1][0])
    assert [block.schema_url for block in last.resource_logs] == ["s"]
    assert [body for body, _ in receiver.received[:-1]] == [b"late", b"late", b"late", b"wrong", b"fine"]
    assert receiver.received[0][1]["x-key"] == "v"
    assert pauses == [1.0, 7.0]


def test_from_one_collector_to_another_with_its_own_metrics(start: Start, tmp_path: Path) -> None:
    other = start(database=tmp_path / "other.duckdb")
    one = start(
        PEEPS_FORWARD_TO=f"grpc://{other.otlp}",
        PEEPS_FORWARD_ONLY="service.name=shop",
        PEEPS_METRICS_TO=f"http://{other.otlp}",
    )
    for service in ("pay", "shop"):
        body = logs_request(event("", body="hello"), source=resource(service, service=service)).SerializeToString()
        answer = http(f"http://{one.otlp}/v1/logs", body, {"content-type": "application/x-protobuf"})
        assert answer.status == 200
    [state] = eventually(lambda: [one for one in one.get("/health")["forward"] if one["sent"]])
    assert (state["sent"], state["not_chosen"], state["failure"]) == (1, 1, "")
    assert eventually(lambda: other.sql("SELECT service, body FROM log")) == [["shop", "hello"]]
    assert one.stop() == ""
    told = eventually(
        lambda: other.sql("SELECT name, value_int, attributes FROM metric WHERE service = 'peeps-collector'")
    )
    numbers = {(name, attributes): value for name, value, attributes in told}
    assert numbers["peeps_collector_received_total", '{"kind":"logs"}'] == 2
    assert numbers["peeps_collector_healthy", "{}"] == 1
    kinds = other.sql("SELECT kind, monotonic FROM metric WHERE name LIKE 'peeps_collector_received%' GROUP BY ALL")
    assert kinds == [["sum", True]]


@pytest.mark.parametrize("value", ["service.name", "=x", "a=("])
def test_conditions_that_are_none(value: str) -> None:
    with pytest.raises(ConfigError, match="PEEPS_FORWARD_ONLY"):
        Config.from_environment({"PEEPS_FORWARD_ONLY": value})
