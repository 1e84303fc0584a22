# SPDX-License-Identifier: Apache-2.0
"""What must not be stored is taken out of every signal; what could not be taken is kept as an event that says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from peeps_collector.client_errors import ClientErrors, preview
from peeps_collector.config import Config, ConfigError
from peeps_collector.decode.redaction import Redaction
from peeps_collector.diagnose import Diagnosis, IncrementalDiagnoser
from peeps_collector.graph.findings import FindingRegistry
from peeps_collector.graph.live import LiveGraph
from peeps_collector.pipeline import Pipeline
from peeps_collector.receive.request import Budget, Encoding, Signal
from peeps_collector.store.buffer import RowBuffer
from peeps_collector.store.schema import LOG, TABLES
from tests.collector.collector_support import Running, any_value, event, key_values, logs_request
from tests.support.network import http
from tests.support.waiting import eventually

SECRETS = {
    "db.password": "hunter2",
    "http.request.header.authorization": ["hunter2"],
    "nested": {"deep": [{"Password": 7, "note": "key=hunter2 end"}], "fine": 1},
    "text": "key=hunter2",
    "peeps.password": "a name of ours",
    "plain": "stays",
}
REDACTION = Redaction(r"password|authorization", r"key=\S+")


def pipeline_into(rows: RowBuffer, redaction: Redaction = REDACTION) -> Pipeline:
    live = LiveGraph(rows)
    findings = FindingRegistry(live, rows, [])
    return Pipeline(
        Budget(1 << 20), live, findings, Diagnosis(live, findings, IncrementalDiagnoser()), rows, redaction=redaction
    )


def stored(rows: RowBuffer) -> list[dict[str, Any]]:
    taken, _ = rows.take()
    return [dict(zip(TABLES[name].columns, row, strict=True)) for name, part in taken.items() for row in part.tuples]


def test_every_place_of_every_signal() -> None:
    rows = RowBuffer(1000)
    pipeline = pipeline_into(rows)
    traces = ExportTraceServiceRequest()
    block = traces.resource_spans.add()
    block.resource.attributes.extend(key_values(SECRETS))
    scope = block.scope_spans.add()
    scope.scope.attributes.extend(key_values(SECRETS))
    span = scope.spans.add(name="s", start_time_unix_nano=1, end_time_unix_nano=2)
    span.attributes.extend(key_values(SECRETS))
    span.events.add(name="e", attributes=key_values(SECRETS))
    span.links.add(attributes=key_values(SECRETS))
    metrics = ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    metric.metadata.extend(key_values(SECRETS))
    point = metric.gauge.data_points.add(as_int=1, attributes=key_values(SECRETS))
    point.exemplars.add(as_int=1, filtered_attributes=key_values(SECRETS))
    logs = logs_request(event("note", SECRETS))
    logs.resource_logs[0].scope_logs[0].log_records[0].body.CopyFrom(any_value(SECRETS))
    for signal, request in ((Signal.TRACES, traces), (Signal.METRICS, metrics), (Signal.LOGS, logs)):
        assert pipeline.handle(signal, Encoding.PROTOBUF, request.SerializeToString()).message == ""
    found = stored(rows)
    assert "hunter2" not in str(found)
    [row] = [row for row in found if row.get("name") == "s"]
    assert json.loads(row["attributes"]) == {
        "db.password": "[redacted]",
        "http.request.header.authorization": "[redacted]",
        "nested": {"deep": [{"Password": "[redacted]", "note": "[redacted] end"}], "fine": 1},
        "text": "[redacted]",
        "peeps.password": "a name of ours",
        "plain": "stays",
    }


def test_without_patterns_nothing_is_changed() -> None:
    assert not Redaction()
    value = AnyValue(string_value="key=hunter2")
    Redaction(keys="x").redact(value)
    assert value.string_value == "key=hunter2"
    with pytest.raises(ConfigError, match="PEEPS_REDACT_KEYS"):
        Config.from_environment({"PEEPS_REDACT_KEYS": "("})


def test_what_cannot_be_decoded_is_kept_as_an_event(start: Any, tmp_path: Path) -> None:
    collector: Running = start(database=tmp_path / "x.duckdb")
    refused = http(f"http://{collector.otlp}/v1/traces", b'{"resourceSpans": 7}', {"content-type": "application/json"})
    assert refused.status == 400
    assert "it begins with '{\"resourceSpans\": 7}'" in refused.json()["message"]
    eventually(lambda: collector.sql("SELECT count(*) FROM log") == [[1]])
    [[name, severity, body, attributes]] = collector.sql(
        "SELECT event_name, severity_text, body, attributes::VARCHAR FROM log"
    )
    assert (name, severity, body) == ("peeps.client_error", "WARN", refused.json()["message"])
    told = json.loads(attributes)
    assert told.pop("peeps.client_error.sender").startswith("http 127.0.0.1:")
    assert told == {
        "peeps.client_error.stage": "decode",
        "peeps.client_error.signal": "traces application/json",
        "peeps.client_error.size": 20,
        "peeps.client_error.preview": '{"resourceSpans": 7}',
    }
    errors = collector.get("/health")["client_errors"]
    assert (errors["count"], errors["last"][0]["stage"], errors["last"][0]["reason"]) == (1, "decode", body)


def test_a_record_that_is_rejected_is_told_too_and_previews_show_no_secrets() -> None:
    rows = RowBuffer(1000)
    bad = logs_request(event("peeps.node", {"peeps.node.id": "key=hunter2"})).SerializeToString()
    outcome = pipeline_into(rows).handle(Signal.LOGS, Encoding.PROTOBUF, bad)
    assert outcome.rejected == 1
    [row] = [row for row in stored(rows) if row.get("event_name") == "peeps.client_error"]
    assert (row["body"], "preview" in row["attributes"]) == (outcome.message, False)
    assert json.loads(row["attributes"])["peeps.client_error.stage"] == "apply"


def test_a_flood_of_errors_fills_no_disk() -> None:
    now_s = 0.0
    errors = ClientErrors(lambda: now_s)

    def note() -> int:
        rows = errors.note("decode", "x", Signal.LOGS, Encoding.JSON, b"\x00\xff{", "why", 1)
        assert all(len(row) == len(LOG.columns) for row in rows)
        return len(rows)

    assert sum(note() for _ in range(100)) == 60
    now_s = 61.0
    assert note() == 1
    assert (errors.count, len(errors.last())) == (101, 20)
    assert preview(b"\x00\xff{\n") == "\\x00\\xff{\\n"
