# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry providers for a program that has none."""

from __future__ import annotations

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from . import semconv
from .export import otel_names
from .model.change import Change

CHANGES = (
    Change(
        "OpenTelemetry's global tracer, logger and meter providers",
        "each that nobody has set is set, without an exporter",
        "when the program calls `peeps_otel.init()`; never under `opentelemetry-instrument`",
        "never: OpenTelemetry lets a global provider be set once",
        "`PEEPS_ENABLED`",
    ),
)


def set_up_missing(service_name: str | None) -> None:
    """Sets a global provider for each signal that has none. The others are left alone."""
    if otel_names.sdk_disabled():
        return
    resource = Resource.create({semconv.SERVICE_NAME: service_name} if service_name else {})
    if otel_names.tracer_provider() is None:
        trace.set_tracer_provider(TracerProvider(resource=resource))
    if otel_names.logger_provider() is None:
        otel_names.set_logger_provider(otel_names.LoggerProvider(resource=resource))
    if otel_names.meter_provider() is None:
        metrics.set_meter_provider(MeterProvider(resource=resource))
