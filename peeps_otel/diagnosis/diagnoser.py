# SPDX-License-Identifier: Apache-2.0
"""Two looks make a verdict: what is stuck in both, and has not advanced between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Protocol

from ..model import Finding, FindingKind, Graph, Level, NodeKind
from . import exits
from .incremental_index import IncrementalIndex
from .kept_parts import ByLevel, KeptParts
from .reduction import Requirement, cores, residue
from .rule_engine import RuleEngine
from .rules.context import Residue, RuleContext
from .rules.never_exits import NeverExits
from .rules.registry import MARKS
from .rules.rule import Candidate
from .rules.settings import RuleSettings
from .rules.tunable import LongWait
from .telling import tell
from .wait_graph import WaitGraph
from .wait_history import WaitHistory
from .wait_index import WaitIndex
from .wait_links import no_pause

_QUIET_NS = 10_000_000_000
_AGAIN_NS = 5_000_000_000
"""Where nothing has changed for ten seconds, what only time makes a finding is asked every five."""


class Suspects(Protocol):
    """The reduction at the least sure level: who can never become live.

    Of these at least all who cannot at LIKELY, and whatever leads to or from a stuck one of `wait_index.BOUNDED` or
    of which the heap was asked: the findings of the level speak of nothing else. While no waiter has settled it may be
    nobody: then no waiter is stuck, and of things that nobody is stuck at nothing is said.

    `turned`: the waiters whose place in `waits.settled` may not be what it was at the look before.
    """

    def __call__(self, waits: WaitIndex, turned: Set[str], now_ns: int, old_ns: int, /) -> set[str]: ...


def suspects(waits: WaitIndex, _turned: Set[str], now_ns: int, old_ns: int) -> set[str]:
    """The plain way, over everything."""
    return residue(waits.conditions(Level.SUSPECT, now_ns, old_ns))


class Diagnoser:
    """Holds what must be remembered between looks. Not thread-safe: one caller.

    A snapshot is not one instant: a task may have gone on while the others were being read. So nothing is said about a
    waiter before a second look finds it in the very same wait.
    """

    def __init__(
        self,
        settings: RuleSettings | None = None,
        residue: Callable[[Mapping[str, Requirement]], set[str]] | None = None,
        suspects: Suspects = suspects,
        owner: Callable[[str], str] = lambda _node: "",
        confirms: bool = True,
    ) -> None:
        """`residue`, `suspects`: other ways to the same answers, for who has some that are faster on large graphs.
        `owner`: the process of a node: findings are one only within it. `confirms`: whether `unconfirmed` is asked."""
        settings = settings or RuleSettings()
        self._residue = residue
        self._suspects = suspects
        self._owner = owner
        self._confirms = confirms
        self._says = settings.says
        self._retells_exits = settings.is_on(NeverExits)
        self._shared = settings.make(LongWait)
        self._memory = WaitHistory()
        self._engine = RuleEngine(settings)
        self._kept = KeptParts(self._reduce)
        self._told: Set[str] = frozenset()
        self._findings: list[Finding] = []
        self._quiet_since_ns = self._asked_ns = 0
        self._asked_of: WaitIndex | None = None
        self._members: set[str] = set()
        self._deadlocked: Set[str] = frozenset()
        self.unconfirmed = False
        """After a `look`: whether the next one might confirm something, so that it is worth coming soon."""
        self.untold = 0
        """How many findings there are beside those of the last look."""

    @property
    def deadlocked(self) -> Set[str]:
        """The members of all deadlocks that the last look has proven, of those that are not told, too."""
        return self._deadlocked

    @property
    def asked_about(self) -> int:
        """About how many suspects the rules of the reduction were asked last, of a graph that keeps its indexes."""
        return self._kept.asked

    def look(self, graph: Graph, now_ns: int, pause: Callable[[], None] = no_pause) -> list[Finding]:
        """The findings that are open now, worst first: alike ones are one, and at most 50 are told.

        `graph` must come from a later snapshot of at least one process than the one before. `now_ns`: Unix epoch
        nanoseconds by the clock of the observed process. `pause` is called now and then, so that other threads may run.
        Linear in nodes and edges.
        """
        return self.look_at(WaitGraph(graph, frozenset(), pause, MARKS), None, now_ns, pause)

    def look_at(
        self, waits: WaitIndex, changed: Set[str] | None, now_ns: int, pause: Callable[[], None] = no_pause
    ) -> list[Finding]:
        """The same for who has the indexes already. `changed`: see `WaitHistory.settle`."""
        waits.refresh()
        waits.settled = self._memory.settle(waits, now_ns, self._shared.settle, changed)
        if changed is None or self._memory.turned or waits.is_due(now_ns):
            self._quiet_since_ns = now_ns
        elif now_ns - self._quiet_since_ns >= _QUIET_NS and now_ns - self._asked_ns < _AGAIN_NS:
            return list(self._findings)
        self._asked_ns = now_ns
        self._findings = self._ask(waits, now_ns, pause)
        return list(self._findings)

    def _ask(self, waits: WaitIndex, now_ns: int, pause: Callable[[], None]) -> list[Finding]:
        pause()
        touched, same = waits.take_touched(), waits is self._asked_of
        self._asked_of = None  # should a rule fail, all of them read everything at the next look
        if touched is not None:
            touched = touched | self._memory.turned | self._memory.lengthened if same else None
        context = RuleContext(waits, now_ns, self._shared, self._memory, self._says, touched)
        candidates = self._engine.first(context, pause)
        candidates += self._by_reduction(context, pause)
        candidates += self._engine.look(context, pause)
        if self._retells_exits:
            candidates = exits.retold(waits, candidates, list(context.of(NodeKind.THREAD)))
        told = tell(waits, candidates, self._told, self._owner)
        self._told, self.untold = {finding.id for finding in told.findings}, told.untold
        self._members = {node for candidate in candidates for node in candidate.core}
        proven = (one for one in candidates if one.kind is FindingKind.DEADLOCK and one.level is Level.PROVEN)
        self._deadlocked = {node for candidate in proven for node in candidate.core}
        if self._confirms:
            self.unconfirmed = self._is_unconfirmed(waits, now_ns)
        self._asked_of = waits
        return told.findings

    def _is_unconfirmed(self, waits: WaitIndex, now_ns: int) -> bool:
        """Whether there is a ring that only lacks its second look: somebody who lacks his leads to it. One through a
        channel also lacks age: no hurry."""
        young = self._memory.young
        if not young:
            return False
        settled, waits.settled = waits.settled, self._memory.waiters
        try:
            everybody = len(young) == len(waits.settled)  # at a first look: nobody need be looked for
            near = None if everybody else waits.onward(young, Level.LIKELY)
            conditions = waits.conditions(Level.LIKELY, now_ns, self._shared.waited, near)
            return any(
                not self._members.issuperset(core)
                and not any(waits.nodes[node].kind in (NodeKind.TX, NodeKind.IO) for node in core)
                for core in cores(self._left(waits, conditions), conditions, waits.pause)
            )
        finally:
            waits.settled = settled

    def _left(self, waits: WaitIndex, conditions: Mapping[str, Requirement]) -> set[str]:
        return residue(conditions, waits.pause) if self._residue is None else self._residue(conditions)

    def _by_reduction(self, context: RuleContext, pause: Callable[[], None]) -> list[Candidate]:
        """The least sure level goes first, over everything: who is live there is live at every other."""
        waits, old_ns = context.graph, self._shared.waited
        suspects = self._suspects(waits, self._memory.turned, context.now_ns, old_ns)
        pause()
        if isinstance(waits, IncrementalIndex):
            return self._kept.look(waits, context, suspects, old_ns)
        return [candidate for found in self._reduce(context, suspects).values() for candidate in found]

    def _reduce(self, context: RuleContext, suspects: set[str]) -> ByLevel:
        waits, now_ns, old_ns = context.graph, context.now_ns, self._shared.waited
        found: ByLevel = {}
        for level in (Level.PROVEN, Level.LIKELY, Level.SUSPECT):
            if not suspects:
                break
            conditions = waits.conditions(level, now_ns, old_ns, suspects)
            # What only those wait for who are live is no part of it.
            stuck = suspects & conditions.keys() if level is Level.SUSPECT else self._left(waits, conditions)
            if stuck:
                told = waits.as_told(conditions, stuck)
                found[level] = self._engine.reduce(context, Residue(level, told, stuck))
        return found
