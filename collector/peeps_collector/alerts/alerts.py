# SPDX-License-Identifier: Apache-2.0
"""The thread that looks at the open findings and tells who wants to be told."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from peeps_otel.model import Level
from peeps_otel.report.finding_text import trace_line
from peeps_otel.report.sentences import alike
from peeps_otel.report.style import PLAIN

from ..api.selection import in_view
from ..graph.findings import FindingRegistry
from ..graph.live import LiveGraph
from .judge import Alert, Event, Judge, Seen
from .sinks import Command, Outbox, Sink, Webhook

Json = dict[str, Any]

FORMAT = 1
"""Of the JSON: grows when something in it is not what it was."""
_CLOCK_S = 1.0
_WORDS = {Event.OPENED: "", Event.WORSE: "Worse: ", Event.RESOLVED: "Resolved: "}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """`webhooks`: URLs; `command`: a program and its arguments, empty for none."""

    webhooks: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    least: Level = Level.LIKELY
    quiet_s: float = 300.0

    def sinks(self) -> list[Sink]:
        return [*(Webhook(url) for url in self.webhooks), *([Command(self.command)] if self.command else [])]


class Alerts:
    """`start` and `stop` once each. Without sinks nothing is done."""

    def __init__(
        self,
        settings: AlertSettings,
        live: LiveGraph,
        findings: FindingRegistry,
        explorer: str,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`explorer`: its URL, which stands in each alert."""
        self._judge = Judge(settings.least, int(settings.quiet_s * 1e9))
        self._outboxes = [Outbox(sink) for sink in settings.sinks()]
        self._live, self._findings = live, findings
        self._explorer = explorer
        self._clock = clock
        self._last: dict[str, Json] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peeps-alerts", daemon=True)
        self.failure = ""
        """The last failure in one line; empty where there was none."""

    def start(self) -> None:
        if self._outboxes:
            for outbox in self._outboxes:
                outbox.start()
            self._thread.start()

    def stop(self) -> None:
        if self._outboxes:
            self._stop.set()
            self._thread.join(5)
            for outbox in self._outboxes:
                outbox.stop()

    def status(self) -> list[Json]:
        return [outbox.status() for outbox in self._outboxes]

    def _run(self) -> None:
        while not self._stop.wait(_CLOCK_S):
            try:
                self.step()
            except Exception as error:  # the collector goes on without alerts
                if not self.failure:
                    _log.exception("alerts failed")
                self.failure = f"alerts failed: {type(error).__name__}: {error}"

    def step(self) -> None:
        """One look: what it says goes to every outbox."""
        entries = {entry.key: entry for entry in self._findings.open()}
        processes = self._live.processes()
        services = {key: process.info.service for key, process in processes.items()}
        seen = [
            Seen(
                key,
                entry.finding.kind.value,
                entry.finding.level,
                entry.finding.look_at,
                tuple(sorted({services.get(one, one) for one in entry.processes})),
                entry.blocked_count,
            )
            for key, entry in entries.items()
        ]
        alerts = self._judge.look(seen, self._clock())
        if not alerts:
            return
        words = in_view(self._live.view(), processes, time.time_ns(), self._findings.texts, self._findings.trace_url)
        names = {key: str(process.info) for key, process in processes.items()}
        for alert in alerts:
            known = entries[alert.id].to_json() if alert.id in entries else self._findings.find(alert.id)
            if known is not None:
                told = self.told(alert, words.finding(known), names)
                for outbox in self._outboxes:
                    outbox.put(told)

    def told(self, alert: Alert, finding: Json, names: Mapping[str, str]) -> Json:
        """The alert as JSON (docs/alerts.md). `finding`: in words."""
        where = [names.get(one, one) for one in finding["processes"]]
        sentence = f"{finding['headline']}: {finding['title']}{alike(finding.get('count', 1) + alert.alike)}"
        lines = [f"{_WORDS[alert.event]}{sentence}", f"in {', '.join(where)}" if where else ""]
        if alert.event is not Event.RESOLVED:
            lines += [f"Open: {finding['look_at']}" if finding["look_at"] else "", finding["behind"]["text"]]
            lines.append(f"What would release it: {finding['advice']}" if finding["advice"] else "")
            lines += trace_line(finding, PLAIN)
        if alert.unsaid:
            lines.append(f"It came and went {alert.unsaid} times since it was last told.")
        lines.append(self._explorer)
        trace = {"trace": finding["trace"]} if "trace" in finding else {}
        kept = ("id", "kind", "level", "title", "headline", "since_ns", "look_at", "advice", "count", "processes")
        return {
            "format": FORMAT,
            "event": alert.event.value,
            "text": "\n".join(line for line in lines if line),
            "finding": {key: finding[key] for key in kept} | {"behind": finding["behind"]["count"]} | trace,
            "services": where,
            "alike": alert.alike,
            "unsaid": alert.unsaid,
            "explorer": self._explorer,
        }
