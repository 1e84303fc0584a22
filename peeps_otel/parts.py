# SPDX-License-Identifier: Apache-2.0
"""What watches one process, put together: probes, watcher, exports.

Two kinds of parts. `Lasting`: what is in the program for good, once per process image: rewritten functions, the facts
they write down, instruments that a provider keeps. `Parts`: everything that knows threads, tasks, connections; a forked
child has others, so it makes all of them anew round the same `Lasting`.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import native, semconv
from .config import Config
from .export import otel_names
from .export.collector_exporters import forward
from .export.events import Events
from .export.exporters import Exporters
from .export.in_flight import InFlight
from .export.metrics import Metrics
from .export.otlp import Endpoint, endpoint, set_by_user
from .export.own_providers import LOGS, METRICS, SIGNALS, TRACES, OwnProviders, SeveralLoggers, SeveralMeters
from .export.pending_spans import PendingSpans
from .export.request import ATTENTION, CUT, END, LEAKS, Request, cut_record, leaks_record, looked_record
from .export.snapshot_exporter import SnapshotExporter
from .export.source_texts import SourceTexts
from .export.spans import Spans, current_span_context
from .looking import Looking, Patches
from .probes.context import ProbeContext
from .probes.inherited import Inherited, ThreadHold
from .probes.later import LaterProbe
from .probes.probe import Probe
from .probes.source.line_text import LineTexts
from .probes.source.ownership import Ownership
from .providers.wanted import is_wanted
from .requests.live_spans import LiveSpans
from .requests.probe import RequestProbe
from .requests.sampler import UnsampledSpans
from .watchdog.announcement import announcement
from .watchdog.guard import Watchdog

if TYPE_CHECKING:
    from .local.report import Report
    from .watcher.thread import Watcher


class Lasting(Patches):
    """Made once, before the first `Parts`, whose probes install what is theirs. `uninstall` from any thread."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.began_ns = time.time_ns()
        tracers, meters = otel_names.tracer_provider(), otel_names.meter_provider()
        self.endpoint = _endpoint(config)
        self.own = None if self.endpoint is None else _own_providers(self.endpoint, config)
        self.live_spans = LiveSpans() if tracers is not None and config.requests else None
        self.unsampled = (
            UnsampledSpans(tracers, config.unsampled)
            if tracers is not None and self.live_spans and config.unsampled != 0
            else None
        )
        if tracers is not None and self.live_spans is not None:
            self.live_spans.follow(tracers)
        if self.unsampled is not None:
            self.unsampled.install()
        if tracers is not None:
            self.recorder.span_context = current_span_context
        told = [one for one in (meters, None if self.own is None else self.own.meters) if one is not None]
        self.metrics = Metrics(SeveralMeters(*told)) if told and config.metrics else None

    def uninstall(self) -> None:
        """Leaves every function of the standard library as it was."""
        if self.unsampled is not None:
            self.unsampled.uninstall()
        if self.live_spans is not None:
            self.live_spans.stop()
        super().uninstall()
        if self.own is not None:
            self.own.shutdown()

    def after_fork_in_child(self) -> None:
        """What the parent's tasks and loops have told is not ours to tell."""
        super().after_fork_in_child()
        if self.live_spans is not None:
            self.live_spans.clear()


class Parts:
    """Of one process. `inherited`: in a forked child, what of its memory is the parent's."""

    def __init__(self, config: Config, lasting: Lasting, inherited: Inherited | None = None) -> None:
        context = ProbeContext(inherited)
        at = lasting.endpoint if config.watchdog else None
        self.watchdog = None if at is None else Watchdog(lambda: _announcement(at, lasting.ownership))
        self._requests = _request_probe(context, lasting)
        self.providers = _providers(context, self._requests) if config.providers else None
        more = [one for one in (self.watchdog, self._requests, self.providers) if one is not None]
        report = _report(config, lambda: self.watcher)
        self.outlet = _exporters(
            config, lasting, self._requests, lambda: self.watcher.request_key_frame(), self._asked, report
        )
        self._looking = Looking(config, lasting, self.outlet, context, more)
        self.probes, self.watcher, self.leaks = self._looking.probes, self._looking.watcher, self._looking.leaks

    def thread_holds(self) -> list[ThreadHold]:
        """The plain locks that threads were seen to have at the last look. From the fork hook."""
        return self._looking.thread_holds()

    def _asked(self, request: Request) -> None:
        """The collector has a request; it can only ask for a look."""
        if request.kind == CUT:
            self.watcher.cut(lambda snapshot: self.outlet.answer(cut_record(request, snapshot)))
        if request.kind == END:
            self.probes.context.resources.flows.ends.ask(request.id)
        if request.kind == ATTENTION:
            self.watcher.attention(
                lambda report: self.outlet.answer(looked_record(request, report, self.watcher.open_findings))
            )
        if request.kind == LEAKS:
            self.leaks.request(lambda report, findings: self.outlet.answer(leaks_record(request, report, findings)))


def _report(config: Config, watcher: Callable[[], Watcher]) -> Report | None:
    """None where none is wanted; then what writes one is not loaded either."""
    if not config.reports:
        return None
    from .local.report import Report

    return Report(config, watcher)


def _providers(context: ProbeContext, requests: RequestProbe | None) -> LaterProbe:
    def make() -> Probe:
        return native.importing.load(f"{__package__}.providers.probe").ProviderProbe(context, requests)

    return LaterProbe("providers", context, is_wanted, make)


def _request_probe(context: ProbeContext, lasting: Lasting) -> RequestProbe | None:
    if lasting.live_spans is None:
        return None
    allowance = None if lasting.unsampled is None else lasting.unsampled.allowance
    return RequestProbe(context, lasting.live_spans, unsampled=allowance)


def _exporters(
    config: Config,
    lasting: Lasting,
    requests: RequestProbe | None,
    request_key_frame: Callable[[], None],
    asked: Callable[[Request], None],
    report: Report | None,
) -> Exporters:
    tracers, loggers = otel_names.tracer_provider(), _loggers(lasting.own)
    own = None if lasting.own is None else lasting.own.spans
    spans = None if tracers is None else Spans(tracers, config.span_task_ms * 1_000_000, own)
    if lasting.metrics is not None:
        lasting.metrics.begin(dict if spans is None else lambda: spans.dropped)
    link = None
    if lasting.endpoint is not None:
        link = SnapshotExporter(lasting.endpoint, _resource(), request_key_frame, config.protocol_trace, asked)
    events = None if loggers is None else Events(loggers, config.nodes, config.snapshots)
    in_flight = None
    if loggers is not None and lasting.live_spans is not None and requests is not None and config.in_flight_ms:
        pending = PendingSpans(tracers, own) if config.pending_spans and tracers is not None else None
        in_flight = InFlight(loggers, lasting.live_spans, requests, config.in_flight_ms * 1_000_000, pending)
    told = config.source and (link is not None or (events is not None and config.snapshots))
    texts = SourceTexts(LineTexts(lasting.began_ns)) if told else None
    return Exporters(
        link=link,
        events=events,
        spans=spans,
        metrics=lasting.metrics,
        in_flight=in_flight,
        texts=texts,
        report=report,
    )


def _own_providers(at: Endpoint, config: Config) -> OwnProviders:
    """For each signal that the program's provider does not bring to the collector itself."""
    tracers = otel_names.tracer_provider() if TRACES in config.forward else None
    loggers = otel_names.logger_provider() if LOGS in config.forward else None
    meters = otel_names.meter_provider() if METRICS in config.forward else None
    forward(at, tracers, loggers, meters)
    wanted = {name for name, one in zip(SIGNALS, (tracers, loggers, meters), strict=True) if one is None}
    if not config.metrics:
        wanted.discard(METRICS)
    return OwnProviders(at, _program_resource(), frozenset(wanted))


def _loggers(own: OwnProviders | None) -> SeveralLoggers | None:
    both = (otel_names.logger_provider(), None if own is None else own.loggers)
    told = [one for one in both if one is not None]
    return SeveralLoggers(*told) if told else None


def _endpoint(config: Config) -> Endpoint | None:
    if config.collector_endpoint is None:
        return None
    protocol = config.otlp_protocol if set_by_user("OTEL_EXPORTER_OTLP_PROTOCOL") else ""
    return endpoint(config.collector_endpoint, protocol)


def _announcement(at: Endpoint, ownership: Ownership) -> bytes:
    """What the sidecar is told. It speaks HTTP, whatever the program speaks."""
    return announcement(at.url, dict(_resource().attributes), ownership)


def _resource() -> otel_names.Resource:
    """The program's resource, and which process of it this is: most set-ups detect no process attributes, and in a
    forked child those that were detected are the parent's."""
    unless_detected = otel_names.Resource(
        {
            semconv.PROCESS_RUNTIME_NAME: sys.implementation.name,
            semconv.PROCESS_RUNTIME_VERSION: ".".join(map(str, sys.version_info[:3])),
            semconv.HOST_NAME: socket.gethostname(),
        }
    )
    try:
        directory = {semconv.PROCESS_WORKING_DIRECTORY: os.getcwd()}
    except OSError:  # it has been deleted
        directory = {}
    of_process = directory | {semconv.PROCESS_PID: os.getpid()}
    return unless_detected.merge(_program_resource()).merge(otel_names.Resource(of_process))


def _program_resource() -> otel_names.Resource:
    providers = (otel_names.logger_provider(), otel_names.tracer_provider())
    return next((p.resource for p in providers if p is not None), otel_names.Resource.get_empty())
