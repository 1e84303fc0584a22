# SPDX-License-Identifier: Apache-2.0
"""Deadlocks: the cores of the residue. In words: `ring.py`."""

from __future__ import annotations

from collections.abc import Iterable

from ...model import FindingKind, Level, NodeKind
from .. import ring
from ..reduction import cores, shortest_cycle
from ..wait_index import WaitIndex
from ..wait_links import WAITERS
from .context import Residue, RuleContext
from .rule import Account, Candidate, ReductionRule


class Deadlock(ReductionRule):
    """A ring that closes only because somebody has a full channel in his hands is named after the channel, unless two
    of its tasks wait for each other's channels; it rests on an estimate, and must also be old. So does one through a
    permit or lock that a bare `acquire()` took: a timer, a callback or somebody else may give it back, which the heap
    knows."""

    name = "deadlock"
    kind = FindingKind.DEADLOCK
    levels = (Level.PROVEN, Level.LIKELY, Level.SUSPECT)
    when = (
        "Nodes wait for each other so that none can ever go on: a core of the reduction, the same at two looks "
        "(settled for {long_wait.settle}). LIKELY through a permit or a lock that no block gives back only once the "
        "heap was asked who else could, of a lock also after {long_wait.waited}; SUSPECT while it was not, and where "
        "it says so of code that is still to run, after {long_wait.could_end}"
    )
    advice = "Break the ring at the named member; take locks in one order; never block a loop on work of its own"
    explains = True

    def find(self, context: RuleContext, residue: Residue) -> Iterable[Candidate]:
        graph = context.graph
        for core in cores(residue.stuck, residue.conditions):
            waiters = [member for member in core if graph.nodes[member].kind in WAITERS]
            if not waiters or context.explained.intersection(core):
                continue
            ranked = sorted(core, key=lambda node: ring.rank(graph, node))
            cycle = shortest_cycle(ranked, ring.tellable(graph, core, residue.conditions))
            cycle = cycle or shortest_cycle(ranked, residue.conditions)
            if not any(graph.nodes[member].kind in WAITERS for member in cycle):
                continue  # things that hold each other: nobody waits in that ring, it is bad input
            parts = ring.parts(graph, cycle)
            resources = {part.resource for part in parts if part.resource != part.holder}
            full = [resource for resource in resources if graph.nodes[resource].kind is NodeKind.TX]
            kind = FindingKind.CHANNEL_FULL if full and len(resources) == 1 else self.kind
            level = _level(context, residue, core, cycle, parts[0].waiter)
            if level is None or not context.says(kind):
                continue
            yield Candidate(
                kind=kind,
                level=level,
                since_ns=max(graph.since_of(waiter) or 0 for waiter in waiters),
                core=sorted(core),
                about=core,
                tell=lambda kind=kind, core=core, cycle=cycle: self._tell(context, residue, kind, core, cycle),
            )

    def roots(self, candidate: Candidate) -> Iterable[str]:
        return candidate.core

    def _tell(
        self, context: RuleContext, residue: Residue, kind: FindingKind, core: list[str], cycle: list[str]
    ) -> Account:
        graph = context.graph
        links = ring.links(graph, cycle)
        beside = ring.beside(graph, core, cycle)
        first = ring.break_first(graph, links)
        return Account(
            title=ring.title(graph, links, beside),
            advice=ring.advice(graph, links, kind),
            look_at=first.look_at,
            evidence=links + beside,
            blocked=residue.tail(graph, core),
            cycle=cycle,
            break_first=first.text,
        )


def _level(context: RuleContext, residue: Residue, core: list[str], cycle: list[str], waiter: str) -> Level | None:
    """How sure a ring is; None: it is not told yet. `waiter`: who has waited longest in it."""
    graph = context.graph
    if residue.level is Level.SUSPECT:
        # What is merely old is no ring; what the heap says of its parties may be.
        return Level.SUSPECT if graph.asked_of_heap(core) and context.is_old(core) else None
    if residue.level is Level.LIKELY and _heap_may_know(graph, cycle, NodeKind.SEMAPHORE):
        return Level.SUSPECT if context.is_old(core) else None
    if residue.level is Level.LIKELY and not context.is_old(core) and _heap_may_know(graph, cycle, NodeKind.LOCK):
        return Level.SUSPECT
    through_channel = any(graph.nodes[node].kind in (NodeKind.TX, NodeKind.IO) for node in core)
    return residue.level if not through_channel or context.is_long(waiter) else None


def _heap_may_know(graph: WaitIndex, cycle: list[str], kind: NodeKind) -> bool:
    """Whether it closes by a thing of the kind that a bare `acquire()` took, of which the heap has not been asked."""
    bare = [one for one in cycle if graph.nodes[one].kind is kind and one in graph.bare]
    return len(graph.asked_of_heap(bare)) < len(bare)
