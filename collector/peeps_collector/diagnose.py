# SPDX-License-Identifier: Apache-2.0
"""The diagnosis on its clock: after each batch of snapshots, at most five times a second.

The engine confirms a finding over two looks. A look at the merged graph of many processes may contain an old picture
of some of them, so a finding is published only when every process with a member in it has sent something new since
the first of its looks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from peeps_otel.model import Finding, Graph

from .graph.findings import FindingBook
from .graph.live import LiveGraph
from .graph.silence import Silence

_SPACING_SECONDS = 0.2
_CLOCK_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Looker(Protocol):
    """What is needed of `peeps_otel.diagnosis.Diagnoser`."""

    def look(self, graph: Graph, now_ns: int) -> list[Finding]: ...


def default_looker() -> Looker:
    """The engine of peeps-otel."""
    from peeps_otel.diagnosis import Diagnoser

    from .graph.reduction import residue_of_many

    return Diagnoser(residue=residue_of_many)


class Confirmation:
    """Holds findings back until every member process has moved on since the look before the first sighting.

    Not thread-safe.
    """

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._baseline: dict[str, dict[str, int]] = {}

    def filter(self, findings: list[Finding], owner: dict[str, str], updates: dict[str, int]) -> list[Finding]:
        """`updates`: the number of applied updates of each process in this look."""
        confirmed: list[Finding] = []
        baselines: dict[str, dict[str, int]] = {}
        for finding in findings:
            members = {owner[node] for node in finding.core if node in owner}
            baseline = self._baseline.get(finding.id)
            if baseline is None:
                baseline = {member: self._before.get(member, updates.get(member, 0)) for member in members}
            baselines[finding.id] = baseline
            if all(updates.get(member, 0) > count for member, count in baseline.items()):
                confirmed.append(finding)
        self._baseline, self._before = baselines, updates
        return confirmed


class Diagnosis:
    """The thread that looks. `wake` and the counters may be used from any thread."""

    def __init__(
        self, live: LiveGraph, book: FindingBook, looker: Looker, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._live = live
        self._book = book
        self._looker = looker
        self._clock = clock
        self._confirmation = Confirmation()
        self.silence = Silence(live)
        self._updates: dict[str, int] = {}
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peeps-diagnose", daemon=True)
        self.failure = ""
        """The last failure of the engine, in one line; empty where there was none."""

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """A snapshot was applied."""
        self._wake.set()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(10)

    def step(self) -> None:
        """One turn of the clock: expire what is silent, look if anything is new, close what is over."""
        now_ns = self._clock()
        self._live.expire(now_ns)
        graph, updates = self._live.diagnosable()
        if updates != self._updates:
            self._updates = updates
            findings = self._confirmation.filter(self._looker.look(graph, now_ns), self._live.view().owner, updates)
            undecided = {key: None for key, p in self._live.processes().items() if p.needs_key_frame}
            self._book.looked(findings, undecided, now_ns)
        self._book.check_reports(now_ns)
        self._book.silent(self.silence.step(now_ns), now_ns)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(_CLOCK_SECONDS)
            self._wake.clear()
            try:
                self.step()
            except Exception as error:  # an engine that fails must not silence the collector
                if not self.failure:
                    _log.exception("the diagnosis failed")
                self.failure = f"the diagnosis failed: {type(error).__name__}: {error}"
            self._stop.wait(_SPACING_SECONDS)
