# SPDX-License-Identifier: Apache-2.0
"""`PEEPS_COLLECTOR_ENDPOINT`: how something gets there, for pipelines of our own (`own_providers`) and, where
`PEEPS_FORWARD` asks for it, for the program's providers, beside whatever is there already.

Each makes its OTLP exporter at the first export, on the SDK's own thread: `requests` and `urllib3` must not be imported
before a program has had its chance to patch them (`http_client`), and not at all where nothing is exported. In a forked
child each makes another one: the connections of the parent are not ours. That is all that restarts there; the SDK's
processors start their own threads again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from ..model.change import Change
from .early import beginning
from .log_suppression import quiet
from .otel_names import BatchLogRecordProcessor, LoggerProvider
from .otlp import Endpoint

CHANGES = (
    Change(
        "the program's tracer, logger and meter providers",
        "a span processor, a log record processor and a metric reader of ours, beside those that are there",
        "at the start",
        "shut down with the providers",
        "off unless `PEEPS_FORWARD` names the signal",
    ),
)

# Shutting down waits for the export in progress, and that is the user's Ctrl-C: one second, not the default ten.
_TIMEOUT_S = 1.0
_DELAY_MS = 500
_METRICS_MS = 10_000
_EARLY_S = 1.0


class _OfThisProcess:
    """An exporter that is made when it is first needed, once in each process. On the SDK's exporting thread."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None
        self._pid = 0

    def export(self, batch: Any, options: Mapping[str, Any]) -> Any:
        if self._pid != os.getpid():
            self._made, self._pid = self._make(), os.getpid()
        with quiet():
            return self._made.export(batch, **options)

    def shutdown(self) -> None:
        if self._pid == os.getpid():
            self._made.shutdown()


class _Spans(SpanExporter):
    def __init__(self, exporter: _OfThisProcess) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[Any]) -> Any:
        return self._exporter.export(spans, {})

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class _Logs(LogRecordExporter):
    def __init__(self, exporter: _OfThisProcess) -> None:
        self._exporter = exporter

    def export(self, batch: Sequence[Any]) -> Any:
        return self._exporter.export(batch, {})

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class _Metrics(MetricExporter):
    def __init__(self, exporter: _OfThisProcess) -> None:
        super().__init__()  # cumulative, which is what our collector wants
        self._exporter = exporter

    def export(self, metrics_data: Any, timeout_millis: float = 10_000, **kwargs: Any) -> Any:
        if beginning.within(_EARLY_S):  # a process that ends at once has no metrics worth its exporter
            return MetricExportResult.SUCCESS
        return self._exporter.export(metrics_data, {"timeout_millis": timeout_millis, **kwargs})

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True


def span_processor(endpoint: Endpoint) -> BatchSpanProcessor:
    """Pushes the spans it is given to the collector."""
    spans = _Spans(_OfThisProcess(lambda: endpoint.exporters().span_exporter(endpoint.url, _TIMEOUT_S)))
    return BatchSpanProcessor(spans, schedule_delay_millis=_DELAY_MS)


def log_processor(endpoint: Endpoint) -> BatchLogRecordProcessor:
    """Pushes the log records it is given to the collector."""
    logs = _Logs(_OfThisProcess(lambda: endpoint.exporters().log_exporter(endpoint.url, _TIMEOUT_S)))
    return BatchLogRecordProcessor(logs, schedule_delay_millis=_DELAY_MS / 5)


def metric_reader(endpoint: Endpoint) -> PeriodicExportingMetricReader:
    """Pushes the metrics of its provider to the collector. It wakes all instruments of that provider."""
    metrics = _Metrics(_OfThisProcess(lambda: endpoint.exporters().metric_exporter(endpoint.url, _TIMEOUT_S)))
    return PeriodicExportingMetricReader(metrics, export_interval_millis=_METRICS_MS)


def forward(endpoint: Endpoint, tracers: TracerProvider | None, loggers: LoggerProvider | None, meters: Any) -> None:
    """`PEEPS_FORWARD`: all that these providers of the program make goes to the collector. None is passed over."""
    if tracers is not None:
        tracers.add_span_processor(span_processor(endpoint))
    if loggers is not None:
        loggers.add_log_record_processor(log_processor(endpoint))
    if meters is not None:
        meters.add_metric_reader(metric_reader(endpoint))
