# SPDX-License-Identifier: Apache-2.0
"""Processes that should speak and do not: a finding for each, from their sidecars or from our own look.

The sidecar knows the stacks. Where there is none, a process of this host that sends no snapshots although it exists is
reported with what its last snapshot showed. On an overloaded machine one that could run may merely not have had its
turn: such silence is told after half a minute. A silent process of another host may be cut off as well as stuck: that
is left to `not_answered`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from peeps_otel.model import Finding, FindingKind, Level, NodeKind, finding_id, own_line

from ..decode.resource import ProcessInfo
from ..decode.silence import SilenceRecord
from .behind import behind
from .live import LiveGraph
from .liveness import doing, is_alive
from .overload import is_overloaded
from .process import Process, State

_ASLEEP_NS = 3_000_000_000
_SIDECAR_FIRST_NS = 1_500_000_000
_SPOKEN_NS = 2_000_000_000  # who said one thing at its start may have called `exec` before it was looked at
_OVERLOADED_NS = 30_000_000_000
_CERTAIN = frozenset({"stopped", "uninterruptible"})
"""What more processors would not change."""
_STALE_NS = 35_000_000_000  # three repetitions of a sidecar
_BEHIND_EVERY_NS = 5_000_000_000
_ADVICE = {
    "running": "Look at that line: a regular expression that backtracks for ever, or a call into C that keeps the "
    "interpreter. Bound its input, or run it in another process.",
    "sleeping": "A call into C sleeps with the interpreter in its hands. `py-spy dump --native` shows where.",
    "stopped": "kill -CONT {pid}",
    "uninterruptible": "The kernel waits for a device or a network file system: look at `dmesg` and the mounts.",
}


@dataclass(slots=True)
class _Report:
    """What a sidecar says. `first_ns`, `last_ns`: when it first and last said so, by our clock."""

    record: SilenceRecord
    first_ns: int
    last_ns: int


class Silence:
    """Thread-safe. `step` on the clock of the diagnosis. `overloaded`: whether this machine is."""

    def __init__(self, live: LiveGraph, overloaded: Callable[[], bool] = is_overloaded) -> None:
        self._live = live
        self._overloaded = overloaded
        self._lock = threading.Lock()
        self._reports: dict[str, _Report] = {}
        self._behind: dict[str, tuple[int, list[str]]] = {}
        self._last_step_ns = 0
        self._awake_since_ns = 0

    def reported(self, info: ProcessInfo, record: SilenceRecord, now_ns: int) -> None:
        """A sidecar has sent something about its program."""
        key = self._whom(info)
        with self._lock:
            if record.ended:
                self._reports.pop(key, None)
                self._live.ended(key, info.pid, record.title)
            elif record.until_ns is not None:
                self._reports.pop(key, None)
            else:
                before = self._reports.get(key)
                again = before is not None and before.record.since_ns == record.since_ns
                first_ns = before.first_ns if again and before is not None else now_ns
                self._reports[key] = _Report(record, first_ns, now_ns)

    def step(self, now_ns: int) -> dict[str, Finding]:
        """The findings of this moment, by process."""
        if now_ns - self._last_step_ns > _ASLEEP_NS:
            self._awake_since_ns = now_ns  # we were stopped ourselves: nobody could be heard
        self._last_step_ns = now_ns
        found: dict[str, Finding] = {}
        with self._lock:
            processes = self._live.processes()
            for key, report in list(self._reports.items()):
                process = processes.get(key)
                if process is None or process.state is State.GONE or process.pulse_ns > report.first_ns:
                    del self._reports[key]  # it ended, or a snapshot came after it was called silent
                elif now_ns - report.last_ns > _STALE_NS:
                    del self._reports[key]  # the sidecar is gone
                elif self._may_be_late(process, report, now_ns):
                    continue
                else:
                    found[key] = _reported(key, process, report.record)
        for key, process in processes.items():
            if key not in found and self._is_silent(process, now_ns) and _is_there(process):
                found[key] = _seen(key, process)
        return {key: replace(finding, blocked=self._blocked(key, now_ns)) for key, finding in found.items()}

    def _blocked(self, key: str, now_ns: int) -> list[str]:
        """Who waits behind it, looked up every few seconds: that reads the whole graph."""
        known = self._behind.get(key)
        if known is None or now_ns - known[0] > _BEHIND_EVERY_NS:
            self._behind = {one: past for one, past in self._behind.items() if now_ns - past[0] < _STALE_NS}
            known = self._behind[key] = now_ns, behind(self._live.view(), key)
        return known[1]

    def _is_silent(self, process: Process, now_ns: int) -> bool:
        if process.state is not State.SILENT or process.pulse_ns - process.first_seen_ns < _SPOKEN_NS:
            return False
        patience_ns = process.silent_after_ns + _SIDECAR_FIRST_NS
        silent_ns = now_ns - max(process.pulse_ns, self._awake_since_ns)
        if silent_ns <= patience_ns:
            return False
        is_certain = doing(process.info) == "is stopped"
        return is_certain or silent_ns > _OVERLOADED_NS or not self._overloaded()

    def _may_be_late(self, process: Process, report: _Report, now_ns: int) -> bool:
        """Whether a process of this host that a sidecar calls silent may merely not have had its turn."""
        if report.record.state in _CERTAIN or now_ns - report.record.since_ns > _OVERLOADED_NS:
            return False
        return is_alive(process.info, process.first_seen_ns, process.image) is not None and self._overloaded()

    def _whom(self, info: ProcessInfo) -> str:
        """The process that is meant: a forked copy may have the identity of its parent, but not its pid."""
        for key, process in self._live.processes().items():
            if process.info.pid == info.pid and key.startswith(f"{info.id}/"):
                return key
        return info.id


def _is_there(process: Process) -> bool:
    return bool(is_alive(process.info, process.first_seen_ns, process.image))


def _reported(key: str, process: Process, record: SilenceRecord) -> Finding:
    advice = _ADVICE.get(record.state, "").format(pid=process.info.pid)
    finding = _finding(key, record.title, record.since_ns, advice)
    if not (record.place or record.stack):
        return _with_last_seen(finding, process)
    return replace(finding, look_at=record.place, stack=record.stack)


def _seen(key: str, process: Process) -> Finding:
    """Without a word of a sidecar."""
    verb = doing(process.info) or "is there"
    title = f"{process.info} is silent: it {verb}, but sends no snapshots"
    advice = _ADVICE["stopped"].format(pid=process.info.pid) if verb == "is stopped" else ""
    return _with_last_seen(_finding(key, title, process.pulse_ns, advice), process)


def _finding(key: str, title: str, since_ns: int, advice: str) -> Finding:
    kind = FindingKind.PROCESS_SILENT
    return Finding(finding_id(kind, [key]), kind, Level.SUSPECT, title, since_ns, core=[], advice=advice)


def _with_last_seen(finding: Finding, process: Process) -> Finding:
    """Adds where the main thread was in the last snapshot."""
    for node in process.nodes.values():
        if node.kind is not NodeKind.THREAD or node.name != "MainThread" or not node.stack:
            continue
        frame = own_line.innermost(node.stack)
        place = own_line.place(node.stack)
        seen = place if frame is None else f"in {frame.function} at {place}"
        return replace(
            finding,
            title=f"{finding.title}; last seen {seen}",
            look_at=own_line.line_of(place),
            stack=node.stack,
        )
    return finding
