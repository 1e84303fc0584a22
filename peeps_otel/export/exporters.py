# SPDX-License-Identifier: Apache-2.0
"""All exports of a look, in one sink. One that fails does not keep the others from theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..model import Snapshot
from ..own_log import OwnLog
from ..watcher.interfaces import CycleResult, ExporterUsage
from .events import Events
from .in_flight import InFlight
from .metrics import Metrics
from .otel_names import LogRecord
from .snapshot_exporter import SnapshotExporter
from .source_texts import SourceTexts
from .spans import Spans

_logger = OwnLog()


class Report(Protocol):
    """What the process tells of itself as text (`local.report`)."""

    def start(self) -> None: ...

    def take(self, look: CycleResult) -> None: ...

    def end(self) -> None: ...


class Exporters:
    """A `LookConsumer` of the watcher."""

    def __init__(
        self,
        *,
        link: SnapshotExporter | None,
        events: Events | None,
        spans: Spans | None,
        metrics: Metrics | None,
        in_flight: InFlight | None = None,
        texts: SourceTexts | None = None,
        report: Report | None = None,
    ) -> None:
        self._link, self._events, self._spans, self._metrics = link, events, spans, metrics
        self._in_flight = in_flight
        self._texts = texts
        self._report = report
        self._complained: set[str] = set()

    def start(self) -> None:
        if self._link is not None:
            self._link.start()
        if self._report is not None:
            self._guard("report", self._report.start)

    def take(self, look: CycleResult) -> None:
        if self._link is not None:
            self._guard("link", lambda link=self._link: link.send(look.snapshot))
        if self._texts is not None:
            self._guard("source text", lambda texts=self._texts: self._tell_texts(texts, look))
        for name, part in (
            ("events", self._events),
            ("requests", self._in_flight),
            ("spans", self._spans),
            ("metrics", self._metrics),
            ("report", self._report),
        ):
            if part is not None:
                self._guard(name, lambda part=part: part.take(look))

    def _tell_texts(self, texts: SourceTexts, look: CycleResult) -> None:
        """By the way of the snapshots: to our collector, and to nobody else."""
        for record in texts.due(look):
            if self._link is not None:
                self._link.answer(record)
            elif self._events is not None:
                self._events.tell(record)

    def spent(self) -> ExporterUsage:
        return ExporterUsage(0, 0) if self._link is None else ExporterUsage(self._link.cpu_ns, self._link.sent)

    def answer(self, record: LogRecord) -> None:
        """What a request of the collector has brought. On any thread."""
        if self._link is not None:
            self._link.answer(record)

    def end(self) -> None:
        """The process ends. After the last `take`."""
        if self._in_flight is not None:
            self._guard("requests", self._in_flight.end)
        if self._report is not None:
            self._guard("report", self._report.end)

    def goodbye(self, snapshot: Snapshot) -> None:
        if self._link is not None:
            self._link.send(snapshot)
            self._link.close()

    def _guard(self, name: str, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:
            if name not in self._complained:
                self._complained.add(name)
                _logger.warning("peeps: exporting %s failed; said once", name, exc_info=True)
