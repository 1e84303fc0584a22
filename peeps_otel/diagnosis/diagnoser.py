# SPDX-License-Identifier: Apache-2.0
"""Two looks make a verdict: what is stuck in both, and has not advanced between them."""

from __future__ import annotations

from typing import NamedTuple

from ..model import Finding, Graph, Level, NodeKind
from . import deadlock, starvation
from .reduction import cores, residue
from .thresholds import Thresholds
from .wait_graph import WaitGraph

_ORDER = list(Level)
_SITES = 4096


class _Seen(NamedTuple):
    since_ns: int
    operation: str
    steps: int | None
    source: str


class Diagnoser:
    """Holds what must be remembered between looks. Not thread-safe: one caller.

    A snapshot is not one instant: a task may have gone on while the others were being read. So nothing is said about a
    waiter before a second look finds it in the very same wait.
    """

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self._thresholds = thresholds or Thresholds()
        self._waits: dict[str, _Seen] = {}
        self.unconfirmed = False
        """After a look: whether the next one might confirm something, so that it is worth coming soon."""
        self._longest: dict[str, int] = {}  # by wait site: the longest wait seen to end

    def look(self, graph: Graph, now_ns: int) -> list[Finding]:
        """All findings that are open now, worst first.

        `graph` must come from a later snapshot of at least one process than the one before. `now_ns`: Unix epoch
        nanoseconds by the clock of the observed process. Linear in nodes and edges.
        """
        settled = self._settle(graph, now_ns)
        findings = self._findings(graph, settled, now_ns) if settled else []
        self.unconfirmed = bool(self._waits) and self._suspects(graph, findings, now_ns)
        return findings

    def _suspects(self, graph: Graph, findings: list[Finding], now_ns: int) -> bool:
        """Whether there is a ring that only lacks its second look. One through a channel also lacks age: no hurry."""
        waits = WaitGraph(graph, self._waits.keys())
        conditions = waits.conditions(Level.LIKELY, now_ns, self._thresholds.starved_ns)
        known = {node for finding in findings for node in finding.core}
        return any(
            not known.issuperset(core) and not any(graph.nodes[node].kind is NodeKind.TX for node in core)
            for core in cores(residue(conditions), conditions)
        )

    def _findings(self, graph: Graph, settled: set[str], now_ns: int) -> list[Finding]:
        waits = WaitGraph(graph, settled)
        old = self._thresholds.starved_ns

        def is_long(waiter: str) -> bool:
            wait = waits.wait_of(waiter)
            usual = self._longest.get(wait.source, 0) * self._thresholds.history_factor
            return now_ns - wait.since_ns >= max(old, usual)

        findings: list[Finding] = []
        known: set[str] = set()
        for level in (Level.PROVEN, Level.LIKELY, Level.SUSPECT):
            conditions = waits.conditions(level, now_ns, old)
            stuck = residue(conditions)
            found: list[Finding] = []
            if level is not Level.SUSPECT:
                found = deadlock.find(waits, conditions, stuck, level, known)
                # A ring that rests on who has a channel in his hands must also be old.
                found = [f for f in found if not _through_a_channel(f, graph) or is_long(f.evidence[0].waiter)]
            _explain(found, known)
            if level is not Level.PROVEN:
                starved = starvation.find(waits, conditions, stuck, level, known, is_long)
                _explain(starved, known)
                found += starved
            findings += found
        return sorted(findings, key=lambda f: (_ORDER.index(f.level), -len(f.blocked), f.since_ns, f.id))

    def _settle(self, graph: Graph, now_ns: int) -> set[str]:
        """The waiters that are in the same wait as at the look before, and old enough; remembers this look."""
        waits: dict[str, _Seen] = {}
        settled: set[str] = set()
        for node in graph.nodes.values():
            wait = node.wait
            if wait is None:
                continue
            seen = waits[node.id] = _Seen(wait.since_ns, wait.operation, node.steps, wait.source)
            before = self._waits.get(node.id)
            if before is not None and before[:3] == seen[:3] and now_ns - wait.since_ns >= self._thresholds.settle_ns:
                settled.add(node.id)
        for node_id, before in self._waits.items():
            after = waits.get(node_id)
            if (after is None or after[:3] != before[:3]) and (
                before.source in self._longest or len(self._longest) < _SITES
            ):
                self._longest[before.source] = max(self._longest.get(before.source, 0), now_ns - before.since_ns)
        self._waits = waits
        return settled


def _through_a_channel(finding: Finding, graph: Graph) -> bool:
    return any(graph.nodes[node].kind is NodeKind.TX for node in finding.core)


def _explain(found: list[Finding], known: set[str]) -> None:
    for finding in found:
        known.update(finding.core)
        known.update(finding.blocked)
