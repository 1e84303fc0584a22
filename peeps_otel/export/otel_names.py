# SPDX-License-Identifier: Apache-2.0
"""Every name of OpenTelemetry that is not stable. Checked on 1.45.2 / 0.66b2."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Protocol

from opentelemetry import _logs as logs_api  # stable in the specification only
from opentelemetry import context, metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk import _logs as logs_sdk
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

__all__ = [
    "BatchLogRecordProcessor",
    "InstrumentationScope",
    "LogRecord",
    "LogRecordExportResult",
    "LoggerProvider",
    "Loggers",
    "ReadableLogRecord",
    "Resource",
    "SeverityNumber",
    "context_of",
    "logger_provider",
    "meter_provider",
    "pipeline_of",
    "sdk_disabled",
    "set_logger_provider",
    "suppressed",
    "tracer_provider",
]


class Loggers(Protocol):
    """A logger provider, as far as we use one."""

    def get_logger(self, name: str, version: str | None = None, schema_url: str | None = None) -> Any: ...


ReadableLogRecord = logs_sdk.ReadableLogRecord
LoggerProvider = logs_sdk.LoggerProvider
set_logger_provider = logs_api.set_logger_provider


def sdk_disabled() -> bool:
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def logger_provider() -> logs_sdk.LoggerProvider | None:
    """The global provider where it is the SDK's, or something that can be used like it."""
    provider: Any = logs_api.get_logger_provider()
    return provider if hasattr(provider, "add_log_record_processor") and hasattr(provider, "resource") else None


def tracer_provider() -> TracerProvider | None:
    provider: Any = trace.get_tracer_provider()
    return provider if hasattr(provider, "add_span_processor") and hasattr(provider, "resource") else None


def meter_provider() -> Any:
    """The global provider where readers can be added to it, else None."""
    provider: Any = metrics.get_meter_provider()
    return provider if hasattr(provider, "add_metric_reader") else None


def pipeline_of(provider: TracerProvider, scope: str, version: str, schema_url: str) -> Any:
    """A tracer: its `span_processor` takes finished spans, `sampler`, `id_generator` and `resource` make them."""
    return provider.get_tracer(scope, version, schema_url=schema_url)


@contextmanager
def suppressed() -> Generator[None]:
    """No instrumentation of HTTP clients sees what happens in here: our own exports make no spans."""
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    with suppress_instrumentation():
        yield


def context_of(span_context: trace.SpanContext) -> context.Context:
    """So that a log record carries the trace and span of a call."""
    return trace.set_span_in_context(trace.NonRecordingSpan(span_context), context.Context())


def empty_context() -> context.Context:
    """So that events of the watcher thread are not stamped with whatever span is current there."""
    return context.Context()
