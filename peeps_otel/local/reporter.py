# SPDX-License-Identifier: Apache-2.0
"""Says by itself when something is stuck in this process: once as text, again when it is surer, and when it is over."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..model import Finding, Level, Snapshot
from ..report.style import printable
from ..watcher.interfaces import CycleResult, ExporterUsage
from .destination import Destination
from .picture import Picture, of_observation

_LEVELS = list(Level)
_A_MINUTE = 6
_MINUTE_S = 60.0
_OVER_S = 5.0  # a signal wakes the thread that it comes to, which then waits on as before


class Reporter:
    """A `LookConsumer`. On the watcher's thread."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._told: dict[str, Finding] = {}
        self._seen_s: dict[str, float] = {}
        self._written_s: list[float] = []
        self._unwritten = 0

    def start(self) -> None:
        """Nothing to do: it is given what was seen."""

    def end(self) -> None:
        """What is open at the end was told."""

    def take(self, look: CycleResult) -> None:
        """The findings of a look that are new, or surer than before, are told with all they have."""
        open_now = {finding.id: finding for finding in look.findings if finding.level.stuck}
        news = [one for one in open_now.values() if self._is_news(one)]
        now_s = time.monotonic()
        self._seen_s |= dict.fromkeys(open_now, now_s)
        over = [one for key, one in self._told.items() if now_s - self._seen_s[key] >= _OVER_S]
        if not news and not over:
            return
        for one in over:
            del self._told[one.id], self._seen_s[one.id]
        self._told |= {one.id: one for one in news}
        picture = of_observation(look.observation, news, look.snapshot.time_ns)
        self._write(picture, over)

    def spent(self) -> ExporterUsage:
        return ExporterUsage(0, 0)

    def goodbye(self, snapshot: Snapshot) -> None:
        """Nobody waits for it."""

    def _is_news(self, finding: Finding) -> bool:
        before = self._told.get(finding.id)
        return before is None or _LEVELS.index(finding.level) < _LEVELS.index(before.level)

    def _write(self, picture: Picture, over: Sequence[Finding]) -> None:
        now_s = time.monotonic()
        self._written_s = [one for one in self._written_s if now_s - one < _MINUTE_S]
        if len(self._written_s) >= _A_MINUTE:
            self._unwritten += len(picture.findings)
            return
        parts = [f"No longer: {printable(one.title)}" for one in over]
        if picture.findings:
            parts.append(picture.text)
        if self._unwritten:
            parts.append(f"{self._unwritten} more findings came within a minute and were not told one by one.")
            self._unwritten = 0
        self._written_s.append(now_s)
        self._destination.write(framed(picture, "\n\n".join(parts)))


def framed(picture: Picture, text: str) -> str:
    """The text under a line that says of whom and when it is."""
    clock = time.strftime("%H:%M:%S", time.localtime(picture.time_ns / 1e9))
    return f"--- peeps: {printable(picture.name)}, {clock} ---\n{text}\n---"
