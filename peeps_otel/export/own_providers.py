# SPDX-License-Identifier: Apache-2.0
"""What we tell our collector goes through pipelines of our own: no provider of the program is given an exporter or a
reader, so what its set-up leaves asleep stays asleep.

The program's own providers are told as well, for the backends it has: without an exporter there, that goes nowhere.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import MeterProvider

from ..model.change import Change
from .collector_exporters import log_processor, metric_reader, span_processor
from .otel_names import LoggerProvider, Resource
from .otlp import Endpoint

CHANGES = (
    Change(
        "daemon threads `OtelBatch…` and `OtelPeriodicExportingMetricReader`",
        "those of the OpenTelemetry SDK in which pipelines of ours push our own spans, events and metrics",
        "at the start",
        "by the agent's end",
        "`PEEPS_COLLECTOR_ENDPOINT`; `PEEPS_METRICS` for the reader",
    ),
)

TRACES, LOGS, METRICS = SIGNALS = ("traces", "logs", "metrics")


class OwnProviders:
    """One for each of `signals`, else None. `resource`: that of the program. They are nobody's global providers."""

    def __init__(self, endpoint: Endpoint, resource: Resource, signals: frozenset[str]) -> None:
        self.spans = span_processor(endpoint) if TRACES in signals else None
        self.loggers: LoggerProvider | None = None
        self.meters: MeterProvider | None = None
        if LOGS in signals:
            self.loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
            self.loggers.add_log_record_processor(log_processor(endpoint))
        if METRICS in signals:
            self.meters = MeterProvider([metric_reader(endpoint)], resource, shutdown_on_exit=False)

    def shutdown(self) -> None:
        """Pushes what is left, for a second at most each. The second time it does nothing."""
        spans, loggers, meters = self.spans, self.loggers, self.meters
        self.spans = self.loggers = self.meters = None
        if spans is not None:
            spans.shutdown()
        if loggers is not None:
            loggers.shutdown()
        if meters is not None:
            meters.shutdown(1000)


class SeveralLoggers:
    """Like a logger provider: what is emitted goes to each of `providers`."""

    def __init__(self, *providers: LoggerProvider) -> None:
        self._providers = providers

    def get_logger(self, *names: Any, **more: Any) -> SeveralInstruments:
        return SeveralInstruments([provider.get_logger(*names, **more) for provider in self._providers])


class SeveralMeters:
    """Like a meter provider: each instrument is made of each of `providers`, whose readers call its callbacks."""

    def __init__(self, *providers: Any) -> None:
        self._providers = providers

    def get_meter(self, *names: Any, **more: Any) -> SeveralInstruments:
        return SeveralInstruments([provider.get_meter(*names, **more) for provider in self._providers])


class SeveralInstruments:
    """Loggers, meters or histograms of several providers: what is asked of it is asked of each of them."""

    def __init__(self, each: list[Any]) -> None:
        self._each = each

    def emit(self, **record: Any) -> None:
        for logger in self._each:
            logger.emit(**record)

    def record(self, amount: float, attributes: Any = None) -> None:
        for histogram in self._each:
            histogram.record(amount, attributes)

    def create_histogram(self, *names: Any, **more: Any) -> SeveralInstruments:
        return SeveralInstruments([meter.create_histogram(*names, **more) for meter in self._each])

    def create_observable_up_down_counter(self, *names: Any) -> None:
        for meter in self._each:
            meter.create_observable_up_down_counter(*names)

    def create_observable_counter(self, *names: Any) -> None:
        for meter in self._each:
            meter.create_observable_counter(*names)

    def create_observable_gauge(self, *names: Any) -> None:
        for meter in self._each:
            meter.create_observable_gauge(*names)
