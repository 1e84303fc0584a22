# SPDX-License-Identifier: Apache-2.0
"""`PEEPS_DASHBOARD`: exporters of our own on the program's providers, beside whatever is there already."""

from __future__ import annotations

from typing import Any

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from .log_suppression import quiet
from .otel_names import BatchLogRecordProcessor, LoggerProvider

# Shutting down waits for the export in progress, and that is the user's Ctrl-C: one second, not the default ten.
_TIMEOUT_S = 1.0
_DELAY_MS = 500
_METRICS_MS = 10_000


class _Spans(OTLPSpanExporter):
    def export(self, *args: Any, **kwargs: Any) -> Any:
        with quiet():
            return super().export(*args, **kwargs)


class _Logs(OTLPLogExporter):
    def export(self, *args: Any, **kwargs: Any) -> Any:
        with quiet():
            return super().export(*args, **kwargs)


class _Metrics(OTLPMetricExporter):
    def export(self, *args: Any, **kwargs: Any) -> Any:
        with quiet():
            return super().export(*args, **kwargs)  # pyright: ignore[reportUnknownMemberType]


def add_exporters(
    endpoint: str, tracers: TracerProvider | None, loggers: LoggerProvider | None, meters: Any, with_metrics: bool
) -> None:
    """`endpoint`: `http://host:port`. Providers that are None are passed over."""
    if tracers is not None:
        spans = _Spans(f"{endpoint}/v1/traces", timeout=_TIMEOUT_S)
        tracers.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=_DELAY_MS))
    if loggers is not None:
        logs = _Logs(f"{endpoint}/v1/logs", timeout=_TIMEOUT_S)
        loggers.add_log_record_processor(BatchLogRecordProcessor(logs, schedule_delay_millis=_DELAY_MS / 5))
    if meters is not None and with_metrics:
        metrics = _Metrics(f"{endpoint}/v1/metrics", timeout=_TIMEOUT_S)
        meters.add_metric_reader(PeriodicExportingMetricReader(metrics, export_interval_millis=_METRICS_MS))
