# SPDX-License-Identifier: Apache-2.0
"""The registry of findings: what the collector's own diagnosis and the processes report, one entry a finding.

A finding is open as long as anybody reports it: the collector's last look, or a process that has not said `resolved`,
has not gone, and whose own snapshots do not show that a member has stopped waiting. Where a process has seen one
refuted, the collector says the next one there a level lower, as the process itself does.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any

from peeps_otel import semconv
from peeps_otel.diagnosis.refuted_sites import RefutedSites
from peeps_otel.model import Finding, FindingKind, Level

from ..decode.canonical import Rejected
from ..decode.logs import FindingRecord
from ..store.buffer import RowBuffer
from ..store.schema import FINDING, FINDING_EVENT
from .finding_entry import LEVELS, Entry, named, told
from .live import LiveGraph
from .origin import check_members, is_own, reporter_of
from .process import Process, State
from .source_texts import SourceTexts

COLLECTOR = ""
"""The reporter that is the collector itself; every other is a process id."""
_RUNNABLE_KINDS = ("task:", "thread:")
_HISTORY = 200
_REFUTERS_MOST = 1000
_NOT_OF_WAITS = frozenset(
    {
        FindingKind.LOOP_BLOCKED,
        FindingKind.NEVER_YIELDS,
        FindingKind.SELF_WAKING,
        FindingKind.TASK_GROWTH,
        FindingKind.PROCESS_SILENT,
        FindingKind.ORDER_RISK,
    }
)
"""Findings whose members need not wait: they end when whoever reported them says so."""


class FindingRegistry:
    """Thread-safe. `history`: findings of earlier runs as JSON, newest first. `trace_url`: where a trace is shown."""

    def __init__(self, live: LiveGraph, rows: RowBuffer, history: list[dict[str, Any]], trace_url: str = "") -> None:
        self._live = live
        self._rows = rows
        self._lock = threading.RLock()
        self.trace_url = trace_url
        self.texts = SourceTexts()
        """What the processes have told of the lines that findings name."""
        self._open: dict[str, Entry] = {}
        self._untold = 0
        self._ended: deque[dict[str, Any]] = deque(history, maxlen=_HISTORY)
        self._keys: dict[tuple[str, str], str] = {}  # by id and reporter, of the open ones
        self._unproven: dict[tuple[str, str], FindingRecord] = {}  # of processes whose stream is not known yet
        self._refuted: OrderedDict[str, RefutedSites] = OrderedDict()  # by process
        self._closed: OrderedDict[str, Entry] = OrderedDict()  # of this run, as many as are shown

    @property
    def untold(self) -> int:
        """How many findings the collector's last look has beside those that are in here."""
        return self._untold

    def open(self) -> list[Entry]:
        """Those that are told, worst first."""
        with self._lock:
            return told(self._open.values())

    def ended(self) -> list[dict[str, Any]]:
        """At most 200, newest first."""
        with self._lock:
            return list(self._ended)

    def remembered(self) -> list[dict[str, Any]]:
        """The open ones, worst first, then those that have ended, newest first."""
        with self._lock:
            return [*(entry.to_json() for entry in told(self._open.values())), *self._ended]

    def at(self, time_ns: int) -> tuple[list[dict[str, Any]], bool]:
        """What was open then, worst first, with what is known now: what was certain counts from its beginning, the rest
        from when it was found. And whether some of that time may be forgotten."""
        found = [one for one in self.remembered() if _was_open(one, time_ns)]
        found.sort(key=lambda one: (LEVELS.index(one["level"]), -one["blocked_count"], one["since_ns"]))
        with self._lock:
            is_full = len(self._ended) == self._ended.maxlen
            return found, is_full and self._ended[-1]["last_seen_ns"] > time_ns

    def find(self, finding_id: str) -> dict[str, Any] | None:
        with self._lock:
            entry = self._open.get(finding_id)
            if entry is not None:
                return entry.to_json()
            return next((ended for ended in self._ended if ended["id"] == finding_id), None)

    def reported(self, process: str, record: FindingRecord, now_ns: int) -> None:
        """A process says that a finding is open, resolved or refuted. Raises Rejected where another one says so, or its
        members are of another one."""
        with self._lock:
            processes = self._live.processes()
            process = reporter_of(process, record, processes)
            check_members(process, record.finding, self._live)
            if record.state == semconv.FINDING_OPEN:
                known = processes.get(process)
                if known is None or not known.secret:
                    self._unproven[record.finding.id, process] = record
                self._report(process, record.finding, record.blocked_count, record.time_ns, now_ns)
            elif record.state == semconv.FINDING_REFUTED:
                self._refute(process, record, now_ns)
            else:
                self._withdraw(record.finding.id, process, now_ns)

    def _refute(self, process: str, record: FindingRecord, now_ns: int) -> None:
        """The snapshot that shows it may have come before the word: then it counts as resolved until now."""
        self._refuted.setdefault(process, RefutedSites()).add(record.finding, record.refuted_by)
        self._refuted.move_to_end(process)
        if len(self._refuted) > _REFUTERS_MOST:
            self._refuted.popitem(last=False)
        entry = self._open.get(self._keys.get((record.finding.id, COLLECTOR), ""))
        if entry is not None and all(is_own(one, process) for one in entry.processes):
            self._withdraw(record.finding.id, COLLECTOR, now_ns, semconv.FINDING_REFUTED)
        self._withdraw(record.finding.id, process, now_ns, semconv.FINDING_REFUTED)
        entry = self._closed.get(record.finding.id)
        if entry is None or entry.state == semconv.FINDING_REFUTED or record.finding.id in self._open:
            return
        if not all(is_own(one, process) for one in entry.processes):
            return
        entry.state = semconv.FINDING_REFUTED
        for number, ended in enumerate(self._ended):
            if ended["id"] == record.finding.id:
                self._ended[number] = entry.to_json()
                break
        self._record(entry, entry.state, now_ns)

    def update_from_diagnosis(
        self, findings: list[Finding], undecided: Mapping[str, object], now_ns: int, untold: int = 0
    ) -> None:
        """The result of one look of the collector's diagnosis. A finding that is not in it any more is withdrawn,
        unless a member belongs to a process that could not be judged now (`undecided`)."""
        with self._lock:
            self._untold = untold
            seen = {finding.id for finding in findings}
            for finding in map(self._lowered, findings):
                self._report(COLLECTOR, finding, len(finding.blocked), now_ns, now_ns)
            for entry in list(self._open.values()):
                own = entry.reports.get(COLLECTOR)
                if own is not None and own[0].id not in seen and undecided.keys().isdisjoint(entry.processes):
                    self._withdraw(own[0].id, COLLECTOR, now_ns)

    def update_silent(self, findings: Mapping[str, Finding], now_ns: int) -> None:
        """The processes that are silent now, all of them, by their ids."""
        with self._lock:
            for process, finding in findings.items():
                self._report(process, finding, 0, now_ns, now_ns)
            for entry in list(self._open.values()):
                if entry.finding.kind is FindingKind.PROCESS_SILENT:
                    for reporter in entry.reports.keys() - findings.keys():
                        self._withdraw(entry.reports[reporter][0].id, reporter, now_ns)

    def check_reports(self, now_ns: int) -> None:
        """Withdraws what a process reported once, but what its graph shows to be over."""
        processes = self._live.processes()
        with self._lock:
            for entry in list(self._open.values()):
                for reporter, (finding, _, reported_ns) in list(entry.reports.items()):
                    if reporter == COLLECTOR:
                        continue
                    process = processes.get(reporter)
                    if process is None or process.state is State.GONE or self._is_foreign(finding, reporter, processes):
                        self._withdraw(finding.id, reporter, now_ns)
                    elif process.sequence and not process.needs_key_frame and process.time_ns > reported_ns:
                        if _still_waiting(finding, self._live):
                            entry.last_seen_ns = max(entry.last_seen_ns, process.pulse_ns)
                            self._remember(entry)
                        else:
                            self._withdraw(finding.id, reporter, now_ns)

    def _is_foreign(self, finding: Finding, reporter: str, processes: Mapping[str, Process]) -> bool:
        """Whether it shows only now that the reporter was another one, or spoke of nodes of another one."""
        record = self._unproven.get((finding.id, reporter))
        if record is None:
            return False
        try:
            true_reporter = reporter_of(reporter, record, processes)
            check_members(reporter, finding, self._live)
        except Rejected:
            return True
        if processes[reporter].secret:
            self._unproven.pop((finding.id, reporter), None)
        return true_reporter != reporter

    def _lowered(self, finding: Finding) -> Finding:
        """By what was refuted in the processes of its members, and in no other."""
        if not self._refuted:
            return finding
        for owner in dict.fromkeys(owner for owner, _ in self._live.find(finding.core).values()):
            for process, refuted in self._refuted.items():
                if is_own(owner, process):
                    finding = refuted.lowered(finding)
        return finding

    def _key(self, reporter: str, finding: Finding) -> str:
        """Where a finding goes by an id already, another process does not get its words into it by naming that id."""
        known = self._keys.get((finding.id, reporter))
        entry = self._open.get(finding.id)
        if known is not None or entry is None:
            return known or finding.id
        same = not set(entry.finding.core).isdisjoint(finding.core)
        harmless = LEVELS.index(finding.level) >= LEVELS.index(entry.finding.level)
        # The risk of an order has its id from the places in the program, which several processes may run.
        if same or (finding.kind is entry.finding.kind is FindingKind.ORDER_RISK and harmless):
            return finding.id
        return f"{finding.id}@{reporter or 'collector'}"

    def _report(self, reporter: str, finding: Finding, blocked: int, time_ns: int, now_ns: int) -> None:
        key = self._keys[finding.id, reporter] = self._key(reporter, finding)
        entry = self._open.get(key)
        if entry is None:
            entry = self._open[key] = Entry(key, finding, blocked, [], now_ns, now_ns)
            change = "opened"
        else:
            change = ""
        before = (entry.finding.level, entry.finding.title, entry.blocked_count)
        entry.reports[reporter] = (finding, blocked, time_ns)
        entry.last_seen_ns = now_ns
        self._choose(entry)
        if not change and before != (entry.finding.level, entry.finding.title, entry.blocked_count):
            change = "changed"
        if change:
            self._record(entry, change, now_ns)

    def _withdraw(self, finding_id: str, reporter: str, now_ns: int, state: str = semconv.FINDING_RESOLVED) -> None:
        self._unproven.pop((finding_id, reporter), None)
        finding_id = self._keys.pop((finding_id, reporter), finding_id)
        entry = self._open.get(finding_id)
        if entry is None or entry.reports.pop(reporter, None) is None:
            return
        if entry.reports:
            self._choose(entry)
            return
        del self._open[finding_id]
        entry.state = state
        entry.last_seen_ns = now_ns
        entry.sources = self.texts.of(entry.processes, entry.lines())
        self._ended.appendleft(entry.to_json())
        self._closed.pop(finding_id, None)
        self._closed[finding_id] = entry
        if len(self._closed) > _HISTORY:
            self._closed.popitem(last=False)
        self._record(entry, state, now_ns)

    def _choose(self, entry: Entry) -> None:
        """The surest report speaks; of equals the collector's, which sees all processes."""
        entry.finding, _, _ = min(
            (report for _, report in sorted(entry.reports.items())), key=lambda r: LEVELS.index(r[0].level)
        )
        entry.blocked_count = max(max(count, len(finding.blocked)) for finding, count, _ in entry.reports.values())
        self._remember(entry)
        members = {process for process, _ in self._live.find(entry.finding.core).values()}
        entry.processes = sorted(members | {reporter for reporter in entry.reports if reporter != COLLECTOR})

    def _remember(self, entry: Entry) -> None:
        """How its members are, for when they are gone."""
        wanted = named(entry.finding)
        entry.members = {one: known for one, known in entry.members.items() if one in wanted}
        entry.members |= self._live.find(wanted)

    def _record(self, entry: Entry, change: str, now_ns: int) -> None:
        finding = entry.finding
        self._live.touch()
        self._rows.add(
            FINDING_EVENT.name,
            [(now_ns, entry.key, change, finding.level.value, entry.blocked_count, finding.title)],
        )
        self._rows.add(FINDING.name, [entry.row()])


def _was_open(finding: dict[str, Any], time_ns: int) -> bool:
    is_certain = finding["level"] in (Level.PROVEN, Level.LIKELY)
    began_ns: int = finding["since_ns" if is_certain else "first_seen_ns"]
    return began_ns <= time_ns and (finding["state"] == semconv.FINDING_OPEN or time_ns < finding["last_seen_ns"])


def _still_waiting(finding: Finding, live: LiveGraph) -> bool:
    """Whether the members that waited when it was reported still do. A task on a loop whose thread is a member need not
    wait for anything: it cannot run."""
    waited = {link.waiter for link in finding.evidence}
    alive = live.find(finding.core)
    for node_id in finding.core:
        if node_id.startswith(_RUNNABLE_KINDS) and (node_id in waited or not finding.evidence):
            if node_id not in alive:
                return False
            _, node = alive[node_id]
            if node.wait is None and node.attributes.get(semconv.TASK_THREAD) not in finding.core:
                return finding.kind in _NOT_OF_WAITS
    return True
