# SPDX-License-Identifier: Apache-2.0
"""A finding with its life, as it is told and stored; and which of the open ones are told, in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set
from dataclasses import dataclass, field
from typing import Any

from peeps_otel import semconv
from peeps_otel.model import Finding, FindingKind, Level
from peeps_otel.model.jsonable import finding_to_json

from ..decode.values import json_text

LEVELS = list(Level)
"""The surest first."""


@dataclass(slots=True)
class Entry:
    """A finding with its life. Times are the collector's clock. `key`: its id, or one of its own where another finding
    goes by that id."""

    key: str
    finding: Finding
    blocked_count: int
    processes: list[str]
    first_seen_ns: int
    last_seen_ns: int
    state: str = semconv.FINDING_OPEN
    reports: dict[str, tuple[Finding, int, int]] = field(default_factory=dict[str, tuple[Finding, int, int]])

    def to_json(self) -> dict[str, Any]:
        """The shape of docs/api.md without `nodes`."""
        return finding_to_json(self.finding) | {
            "id": self.key,
            "state": self.state,
            "blocked_count": self.blocked_count,
            "processes": self.processes,
            "reported_by": sorted(reporter or "collector" for reporter in self.reports),
            "first_seen_ns": self.first_seen_ns,
            "last_seen_ns": self.last_seen_ns,
        }

    def row(self) -> tuple[object, ...]:
        """Of the table `finding`, in the order of its columns."""
        finding = self.finding
        return (
            self.key,
            finding.kind.value,
            finding.level.value,
            self.state,
            finding.title,
            finding.since_ns,
            self.first_seen_ns,
            self.last_seen_ns,
            self.processes,
            finding.core,
            self.blocked_count,
            finding.advice,
            json_text(self.to_json()),
        )


def told(entries: Collection[Entry]) -> list[Entry]:
    """Of all that are open. Worst first: level, then number blocked, then age.

    What a process sees of a deadlock through others is told as part of that. Of a silent process only what it
    cannot have got out of since: whether a loop is blocked, or a wait unusually long, is not known of it any more.
    """
    silent = {
        process for entry in entries if entry.finding.kind is FindingKind.PROCESS_SILENT for process in entry.reports
    }
    across = _across_processes(entries)
    return sorted(
        (entry for entry in entries if not _is_stale(entry, silent) and not _is_part_of(entry, across)),
        key=lambda e: (LEVELS.index(e.finding.level), -e.blocked_count, e.finding.since_ns),
    )


def _is_stale(entry: Entry, silent: Set[str]) -> bool:
    return (
        entry.finding.kind is not FindingKind.PROCESS_SILENT
        and entry.finding.level not in (Level.PROVEN, Level.LIKELY)
        and bool(entry.processes)
        and silent >= set(entry.processes)
    )


def _across_processes(entries: Iterable[Entry]) -> set[str]:
    """The members of the deadlocks that no process can see by itself, and all behind them."""
    stuck = (e.finding for e in entries if e.finding.level in (Level.PROVEN, Level.LIKELY) and len(e.processes) > 1)
    return {node for finding in stuck for node in (*finding.core, *finding.blocked)}


def _is_part_of(entry: Entry, across: set[str]) -> bool:
    core = entry.finding.core  # without members it is about a process as a whole
    return bool(core) and entry.finding.level in (Level.SUSPECT, Level.SLOW) and across.issuperset(core)
