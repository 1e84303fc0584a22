# SPDX-License-Identifier: Apache-2.0
"""Two looks make a verdict: what is stuck in both, and has not advanced between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Protocol

from ..model import Finding, Graph, Level, NodeKind, own_line
from . import deadlock, never_ends, starvation
from .frames import site
from .reduction import Requirement, cores, residue
from .rules import RuleContext, Rules
from .thresholds import Thresholds
from .wait_graph import WaitGraph, no_pause
from .wait_history import WaitHistory

_ORDER = list(Level)


class Suspects(Protocol):
    """The reduction at the least sure level: who can never become live.

    Of these at least all who cannot at LIKELY, and whatever leads to or from a stuck one of `wait_graph.BOUNDED`: the
    findings of the level speak of nothing else.

    `turned`: the waiters whose place in `waits.settled` may not be what it was at the look before.
    """

    def __call__(self, waits: WaitGraph, turned: Set[str], now_ns: int, old_ns: int) -> set[str]: ...


def suspects(waits: WaitGraph, turned: Set[str], now_ns: int, old_ns: int) -> set[str]:
    """The plain way, over everything."""
    return residue(waits.conditions(Level.SUSPECT, now_ns, old_ns))


class Diagnoser:
    """Holds what must be remembered between looks. Not thread-safe: one caller.

    A snapshot is not one instant: a task may have gone on while the others were being read. So nothing is said about a
    waiter before a second look finds it in the very same wait.
    """

    def __init__(
        self,
        thresholds: Thresholds | None = None,
        residue: Callable[[Mapping[str, Requirement]], set[str]] = residue,
        suspects: Suspects = suspects,
    ) -> None:
        """`residue`, `suspects`: other ways to the same answers, for who has some that are faster on large graphs."""
        self._residue = residue
        self._suspects = suspects
        self._thresholds = thresholds or Thresholds()
        self._memory = WaitHistory()
        self._rules = Rules(self._thresholds)
        self.unconfirmed = False
        """After a `look`: whether the next one might confirm something, so that it is worth coming soon."""

    def look(self, graph: Graph, now_ns: int, pause: Callable[[], None] = no_pause) -> list[Finding]:
        """All findings that are open now, worst first.

        `graph` must come from a later snapshot of at least one process than the one before. `now_ns`: Unix epoch
        nanoseconds by the clock of the observed process. `pause` is called now and then, so that other threads may run.
        Linear in nodes and edges.
        """
        waits = WaitGraph(graph, frozenset(), pause)
        findings = self.look_at(waits, None, now_ns, pause)
        self.unconfirmed = self._is_unconfirmed(waits, findings, now_ns)
        return findings

    def look_at(
        self, waits: WaitGraph, changed: Set[str] | None, now_ns: int, pause: Callable[[], None] = no_pause
    ) -> list[Finding]:
        """The same for who has the indexes already; leaves `unconfirmed` alone. `changed`: see `WaitHistory.settle`."""
        waits.settled = self._memory.settle(waits, now_ns, self._thresholds.settle_ns, changed)
        pause()
        known: set[str] = set()
        context = RuleContext(waits, now_ns, self._thresholds, known, self._is_long(waits, now_ns), self._memory)
        findings = self._rules.find_first(context, pause)
        findings += self._by_reduction(waits, now_ns, known, pause)
        findings += self._rules.find(context, pause)
        for finding in findings:
            finding.look_at = own_line.line_of(finding.look_at)
        return sorted(findings, key=lambda f: (_ORDER.index(f.level), -len(f.blocked), f.since_ns, f.id))

    def _is_unconfirmed(self, waits: WaitGraph, findings: list[Finding], now_ns: int) -> bool:
        """Whether there is a ring that only lacks its second look. One through a channel also lacks age: no hurry."""
        waiters = self._memory.waiters
        if waits.settled == waiters:
            return False
        waits.settled = waiters
        conditions = waits.conditions(Level.LIKELY, now_ns, self._thresholds.starved_ns)
        known = {node for finding in findings for node in finding.core}
        return any(
            not known.issuperset(core) and not any(waits.nodes[node].kind is NodeKind.TX for node in core)
            for core in cores(self._residue(conditions), conditions)
        )

    def _is_long(self, waits: WaitGraph, now_ns: int) -> Callable[[str], bool]:
        def is_long(waiter: str) -> bool:
            wait = waits.wait_of(waiter)
            usual = self._memory.longest(site(waits.nodes[waiter], wait)) * self._thresholds.history_factor
            return now_ns - wait.since_ns >= max(self._thresholds.starved_ns, usual)

        return is_long

    def _is_old(self, waits: WaitGraph, finding: Finding, now_ns: int) -> bool:
        """Whether the youngest wait of a finding that rests on what code may do is older than that needs, and than its
        site is known to be."""
        is_long, old_ns = self._is_long(waits, now_ns), self._thresholds.could_end_ns
        waiters = [node for node in finding.core if waits.since_of(node) is not None]
        return all(is_long(one) and now_ns - waits.wait_of(one).since_ns >= old_ns for one in waiters)

    @staticmethod
    def _may_be_a_signal(waits: WaitGraph, finding: Finding) -> bool:
        resource = finding.evidence[0].resource
        return waits.is_taken_twice(resource) and not waits.asked_of_heap([resource])

    def _by_reduction(self, waits: WaitGraph, now_ns: int, known: set[str], pause: Callable[[], None]) -> list[Finding]:
        """Level by level; adds to `known` what a finding explains.

        The least sure level goes first, over everything: who is live there is live at every other.
        """
        is_long, old_ns = self._is_long(waits, now_ns), self._thresholds.starved_ns
        findings: list[Finding] = []
        suspect = self._suspects(waits, self._memory.turned, now_ns, old_ns)
        pause()
        for level in (Level.PROVEN, Level.LIKELY, Level.SUSPECT):
            if not suspect:
                break
            conditions = waits.conditions(level, now_ns, old_ns, suspect)
            # What only those wait for who are live is no part of it.
            stuck = suspect & conditions.keys() if level is Level.SUSPECT else self._residue(conditions)
            if not stuck:
                continue
            conditions = waits.as_told(conditions, stuck)
            found = deadlock.find(waits, conditions, stuck, level, known)
            if level is Level.SUSPECT:
                # What is merely old is no ring; what the heap says of its parties may be.
                found = [f for f in found if waits.asked_of_heap(f.core) and self._is_old(waits, f, now_ns)]
                dead = never_ends.find(waits, conditions, stuck, level, known | _members(found))
                found += [f for f in dead if self._is_old(waits, f, now_ns)]
            else:
                # A ring that rests on who has a channel in his hands must also be old.
                found = [f for f in found if not _through_a_channel(f, waits) or is_long(f.evidence[0].waiter)]
                found += never_ends.find(waits, conditions, stuck, level, known | _members(found))
            _explain(found, known)
            starved = starvation.find(waits, conditions, stuck, level, known, is_long)
            # Whoever takes twice what no block gives back may wait for a signal: time for the heap to be asked of whom.
            starved = [f for f in starved if not self._may_be_a_signal(waits, f) or self._is_old(waits, f, now_ns)]
            _explain(starved, known)
            found += starved
            findings += found
        return findings


def _through_a_channel(finding: Finding, waits: WaitGraph) -> bool:
    return any(waits.nodes[node].kind is NodeKind.TX for node in finding.core)


def _members(found: list[Finding]) -> set[str]:
    return {node for finding in found for node in (*finding.core, *finding.blocked)}


def _explain(found: list[Finding], known: set[str]) -> None:
    known.update(_members(found))
