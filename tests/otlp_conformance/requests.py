# SPDX-License-Identifier: Apache-2.0
"""Valid requests of each signal, as messages and as the JSON of the specification."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

_NOW_NS = time.time_ns()
_RESOURCE = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="conformance"))])
_JSON_RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "conformance"}}]}


@dataclass(frozen=True)
class Signal:
    """`path`: of HTTP; `method`: of gRPC; `request`: with one record; `json`: the same as JSON."""

    path: str
    method: str
    request: Message
    response: type[Message]
    json: dict[str, Any]


_SPAN = Span(
    trace_id=bytes(range(16)),
    span_id=bytes(range(8)),
    name="s",
    start_time_unix_nano=_NOW_NS,
    end_time_unix_nano=_NOW_NS,
)
_POINT = NumberDataPoint(time_unix_nano=_NOW_NS, as_int=7)
TRACES = Signal(
    "/v1/traces",
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=_RESOURCE, scope_spans=[ScopeSpans(spans=[_SPAN])])]
    ),
    ExportTraceServiceResponse,
    {
        "resourceSpans": [
            {
                "resource": _JSON_RESOURCE,
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "5B8EFFF798038103D269B633813FC60C",
                                "spanId": "eee19b7ec3c1b174",
                                "name": "s",
                                "kind": 2,
                                "startTimeUnixNano": str(_NOW_NS),
                                "endTimeUnixNano": str(_NOW_NS),
                            }
                        ]
                    }
                ],
            }
        ]
    },
)
METRICS = Signal(
    "/v1/metrics",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    ExportMetricsServiceRequest(
        resource_metrics=[
            ResourceMetrics(
                resource=_RESOURCE,
                scope_metrics=[ScopeMetrics(metrics=[Metric(name="m", gauge=Gauge(data_points=[_POINT]))])],
            )
        ]
    ),
    ExportMetricsServiceResponse,
    {
        "resourceMetrics": [
            {
                "resource": _JSON_RESOURCE,
                "scopeMetrics": [
                    {
                        "metrics": [
                            {"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": str(_NOW_NS), "asInt": "7"}]}}
                        ]
                    }
                ],
            }
        ]
    },
)
LOGS = Signal(
    "/v1/logs",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(
                resource=_RESOURCE,
                scope_logs=[
                    ScopeLogs(log_records=[LogRecord(time_unix_nano=_NOW_NS, body=AnyValue(string_value="said"))])
                ],
            )
        ]
    ),
    ExportLogsServiceResponse,
    {
        "resourceLogs": [
            {
                "resource": _JSON_RESOURCE,
                "scopeLogs": [{"logRecords": [{"timeUnixNano": str(_NOW_NS), "body": {"stringValue": "said"}}]}],
            }
        ]
    },
)
SIGNALS = (TRACES, METRICS, LOGS)
NAMES = ("traces", "metrics", "logs")
UNKNOWN_FIELD = b"\xa2\x1f\x03new"
"""A field of a later version of the protocol, in protobuf: number 500, three bytes."""
