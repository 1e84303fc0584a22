# SPDX-License-Identifier: Apache-2.0
"""A finding with its life, as it is told and stored; and which of the open ones are told, in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set
from dataclasses import dataclass, field
from typing import Any

from peeps_otel import semconv
from peeps_otel.model import Finding, FindingKind, Level, Node, own_line
from peeps_otel.model.jsonable import finding_to_json, node_to_json

from ..decode.values import json_text

_LINKS_KEPT = 16
LEVELS = list(Level)
"""The surest first."""


@dataclass(slots=True)
class Entry:
    """A finding with its life. Times are the collector's clock. `key`: its id, or one of its own where another finding
    goes by that id. `members`: process and last known state of the nodes it names; `sources`: once it has ended, the
    text of its lines."""

    key: str
    finding: Finding
    blocked_count: int
    processes: list[str]
    first_seen_ns: int
    last_seen_ns: int
    state: str = semconv.FINDING_OPEN
    reports: dict[str, tuple[Finding, int, int]] = field(default_factory=dict[str, tuple[Finding, int, int]])

    members: dict[str, tuple[str, Node]] = field(default_factory=dict[str, tuple[str, Node]])
    sources: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def to_json(self) -> dict[str, Any]:
        """The shape of docs/api.md, without `nodes` as long as it is open: then the graph has them."""
        told = self._told()
        if self.state != semconv.FINDING_OPEN:
            told["nodes"] = {
                one: node_to_json(node) | {"process": owner} for one, (owner, node) in self.members.items()
            }
            told["sources"] = self.sources
        return told

    def lines(self) -> list[str]:
        """The places that it and its members are at."""
        finding = self.finding
        places = [finding.look_at, *(own_line.source(frame) for frame in finding.stack)]
        for step in finding.evidence[:_LINKS_KEPT]:
            places += [step.wait_source, step.hold_source or ""]
        for _, node in self.members.values():
            places += [own_line.source(frame) for frame in node.stack if not frame.library]
        return list(dict.fromkeys(line for place in places if (line := own_line.line_of(place))))

    def _told(self) -> dict[str, Any]:
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


def named(finding: Finding) -> dict[str, None]:
    """The nodes that its evidence is about, the first few."""
    links = finding.evidence[:_LINKS_KEPT]
    ends = [node for link in links for node in (link.waiter, link.resource, link.holder) if node is not None]
    return dict.fromkeys([*ends, *finding.core[:_LINKS_KEPT]])


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
    """The members of the rings that no process can see by itself, and all behind them: those of several processes, and
    those of one that only the collector sees, with what the other ends of its pipes say."""
    rings = (entry.finding for entry in entries if _is_ring_across(entry))
    return {node for finding in rings for node in (*finding.core, *finding.blocked)}


def _is_ring_across(entry: Entry) -> bool:
    if entry.finding.kind is FindingKind.TIMES_OUT:  # also of one process, and of no ring
        return len(entry.processes) > 1
    return entry.finding.level in (Level.PROVEN, Level.LIKELY) and _is_seen_here_alone(entry)


def _is_seen_here_alone(entry: Entry) -> bool:
    return len(entry.processes) > 1 or not any(entry.reports)  # the collector's own name is empty


def _is_part_of(entry: Entry, across: set[str]) -> bool:
    core = entry.finding.core  # without members it is about a process as a whole
    lesser = entry.finding.level in (Level.SUSPECT, Level.SLOW) and not _is_ring_across(entry)
    return bool(core) and lesser and across.issuperset(core)
