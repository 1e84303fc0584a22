# SPDX-License-Identifier: Apache-2.0
"""Asks the watcher of this process for a picture; where none runs, one does for as long as that takes.

Nothing is installed for it: no function is rewritten, nothing is exported, no provider is touched. What only a recorder
could know (since when, who took a lock by a bare `acquire()`) is then read from the frames, or not known.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from .. import native
from ..config import read
from ..looking import Looking, Patches
from ..model import Finding, NodeKind, Snapshot
from ..probes.context import ProbeContext
from ..watcher.interfaces import CycleResult, ExporterUsage
from ..watcher.look_requests import LookReport
from ..watcher.thread import Watcher
from .left_by_parent import at_most_likely, is_fork
from .picture import Picture, of_snapshot

WAIT_S = 5.0
_ANSWER_S = 5.0
_HEAP_S = 1.0
_BETWEEN_S = 0.3
_POLL_S = 0.005
_INTERVAL_MS = 200
_SETTLED_NS = 1_000_000_000  # of a wait that began, as far as is known, when we came


class NoPicture(RuntimeError):
    """Says why none could be had."""


class _Answer(NamedTuple):
    snapshot: Snapshot
    findings: list[Finding]
    report: LookReport


def picture(
    wait_s: float = WAIT_S, enough: Callable[[Picture], bool] = lambda _: False, could_end_ns: int | None = None
) -> Picture:
    """What waits in this process, and what is stuck. Looks until something is, for `wait_s` seconds at most; what was
    found is looked at once more, since two looks make a verdict surer. Blocks the calling thread: from a coroutine by
    `asyncio.to_thread`. `enough`: called with the picture of each look, whether that will do. `could_end_ns`: how
    old a wait must be for what rests on the heap, where nobody watches and nothing else is set. Any thread. Raises
    NoPicture."""
    watcher = running_watcher()
    if watcher is not None:
        return looked(watcher, wait_s, enough)
    watcher, came_ns = own_looking(os.environ, could_end_ns=could_end_ns).watcher, time.time_ns()
    watcher.start()
    try:
        return looked(watcher, wait_s, enough, came_ns)
    finally:
        watcher.stop()


def running_watcher() -> Watcher | None:
    """That of the agent or of `peeps run`, where there is one. An agent brings OpenTelemetry with it, which is not
    loaded to ask."""
    for name in ("peeps_otel.agent", "peeps_otel.local.reported_process"):
        module: Any = sys.modules.get(name)
        process = None if module is None else module.running()
        if process is not None:
            return process.watcher
    return None


def own_looking(environment: Mapping[str, str], *, record: bool = False, could_end_ns: int | None = None) -> Looking:
    """One that tells nobody, and without `record` changes nothing of the program. Its watcher is to be started, and
    stopped; where it records, `end` puts back what was rewritten."""
    config = replace(
        read(environment), record=record, lock_order=False, interval_ms=_INTERVAL_MS, cpu_budget_percent=0.0
    )
    if could_end_ns is not None:
        config = replace(config, rules=config.rules.sure_after(could_end_ns))
    looking = Looking(config, Patches(config), _Nowhere(), ProbeContext(None))
    if looking.watcher.heap is not None:
        looking.watcher.heap.settled_ns = _SETTLED_NS
    looking.join_within()
    if record:
        looking.probes.install()
    return looking


class _Nowhere:
    """A `LookConsumer`."""

    def take(self, look: CycleResult) -> None:
        """What is wanted is asked for."""

    def spent(self) -> ExporterUsage:
        return ExporterUsage(0, 0)

    def goodbye(self, snapshot: Snapshot) -> None:
        """Nobody listens."""


def looked(
    watcher: Watcher, wait_s: float = 0.0, enough: Callable[[Picture], bool] = lambda _: False, came_ns: int = 0
) -> Picture:
    """As `picture`, by a watcher that runs."""
    end_s = time.monotonic() + wait_s
    found_before = False
    while True:
        answer = _answered(watcher)
        if came_ns and is_fork(os.getpid()):
            tasks = {node.id for node in answer.snapshot.nodes if node.kind is NodeKind.TASK}
            told = [at_most_likely(one) if tasks.intersection(one.core) else one for one in answer.findings]
            answer = answer._replace(findings=told)
        seen = of_snapshot(answer.snapshot, answer.findings, answer.report.not_asked, came_ns)
        if enough(seen) or (seen.stuck and found_before) or time.monotonic() >= end_s:
            return seen
        found_before = seen.stuck
        native.sleep(_BETWEEN_S)


def _answered(watcher: Watcher) -> _Answer:
    """A look that begins now; once the heap has answered what it asked, if that does not take long."""
    snapshots: list[Snapshot] = []
    reports: list[tuple[LookReport, list[Finding]]] = []

    def taken(snapshot: Snapshot) -> None:
        snapshots.append(snapshot)

    def reported(report: LookReport) -> None:
        reports.append((report, watcher.open_findings))

    watcher.cut(taken)
    watcher.attention(reported)
    # By sleeping, not by a lock: the asker is in the picture, and must not seem to wait for somebody.
    _sleep_until(lambda: bool(reports), _HEAP_S)
    _sleep_until(lambda: bool(snapshots), _ANSWER_S)
    if not snapshots:
        raise NoPicture(f"the watcher of this process has not looked within {_ANSWER_S:g} s")
    report, findings = (
        reports[-1] if reports else (LookReport(0, "the heap has not answered in time"), watcher.open_findings)
    )
    return _Answer(snapshots[-1], findings, report)


def _sleep_until(true: Callable[[], bool], most_s: float) -> None:
    end_s = time.monotonic() + most_s
    while not true() and time.monotonic() < end_s:
        native.sleep(_POLL_S)
