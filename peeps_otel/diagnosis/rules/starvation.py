# SPDX-License-Identifier: Apache-2.0
"""Starvation: somebody waits long for a lock, a permit or room in a channel, and whoever has it does not go on."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import ClassVar, cast

from ... import semconv
from ...model import Confidence, EvidenceStep, Level, NodeKind, own_line
from .. import evidence, leaf, wording
from ..frames import place
from ..wait_index import WaitIndex
from ..wait_links import BOUNDED
from .context import Residue, RuleContext
from .rule import Account, Candidate, ReductionRule
from .tunable import seconds

_ENOUGH = 2
_UNASKED = 6
"""How many times as old as otherwise what looks like a signal must be while the heap was not asked whose it is."""


class Starvation(ReductionRule):
    """One finding per resource of `of` at the root of a chain of waits: one whose holders wait for another stuck
    bounded resource is not named, what it waits for is."""

    of: ClassVar[NodeKind]
    levels = (Level.PROVEN, Level.LIKELY, Level.SUSPECT)
    explains = True

    waited = seconds(2, "a shorter wait is no starvation")

    def find(self, context: RuleContext, residue: Residue) -> Iterable[Candidate]:
        graph, stuck = context.graph, residue.stuck
        for resource in sorted(node for node in stuck if graph.nodes[node].kind is self.of):
            if residue.level is Level.SUSPECT and semconv.POOL_IN_USE in graph.nodes[resource].attributes:
                continue  # a rule of its own tells who has what of it
            if residue.level is Level.PROVEN and not graph.asked_of_heap([resource]):
                continue  # a ring, or a holder in one, has been told already
            waiter = None if resource in context.explained else graph.oldest_waiter(resource)
            if waiter is None or waiter not in stuck or not context.is_long(waiter, self.waited):
                continue
            if graph.is_taken_twice(resource) and not self._signal_is_due(context, resource, waiter):
                continue
            holders = [holder for holder in residue.conditions[resource].providers if holder in stuck]
            if _leads_on(graph, residue, resource, holders):
                continue
            again = [] if holders else _again(graph, resource, stuck)
            waiter = again[0] if again else waiter
            onward = (target for holder in holders for target in graph.targets.get(holder, ())[:1])
            yield Candidate(
                kind=self.kind,
                level=residue.level,
                since_ns=graph.wait_of(waiter).since_ns,
                core=list(dict.fromkeys((waiter, resource, *holders, *again, *onward))),
                about=[resource],
                tell=lambda r=resource, w=waiter, h=holders or again: self._tell(context, residue, r, w, h),
            )

    @staticmethod
    def _signal_is_due(context: RuleContext, resource: str, waiter: str) -> bool:
        """Whoever takes twice what no block gives back may wait for a signal: time for the heap to be asked of whom,
        on a busy machine too."""
        asked = bool(context.graph.asked_of_heap([resource]))
        return asked or context.is_long(waiter, _UNASKED * context.shared.could_end)

    def roots(self, candidate: Candidate) -> Iterable[str]:
        return candidate.about

    def _tell(self, context: RuleContext, residue: Residue, resource: str, waiter: str, holders: list[str]) -> Account:
        graph = context.graph
        links = [evidence.link(graph, waiter, resource, holders[0] if holders else None)]
        for holder in holders if holders[:1] != [waiter] else ():
            links.extend(_onward(graph, holder))
        return Account(
            title=_title(graph, waiter, resource, holders, links),
            advice=_advice(graph, resource, holders),
            look_at=place(graph.nodes[holders[0] if holders else waiter]),
            evidence=links,
            blocked=residue.tail(graph, (resource,)),
        )


def _again(graph: WaitIndex, resource: str, stuck: Set[str]) -> list[str]:
    """Those who have taken it by a bare `acquire()` and wait for it once more, the longest wait first."""
    waiters = graph.waiters.get(resource, ())
    found = {one for one in graph.bare.get(resource, ()) if one in waiters and one in stuck}
    return sorted(found, key=lambda one: (graph.since_of(one) or 0, graph.nodes[one].name, one))


def _onward(graph: WaitIndex, holder: str) -> list[EvidenceStep]:
    """What a holder waits for, on to what that is really in."""
    way = leaf.leaf_of(graph, holder)
    if way is not None and way.steps:
        last = [evidence.link(graph, way.node, target, None) for target in graph.targets.get(way.node, ())[:1]]
        return [*leaf.links(graph, way), *last]
    return [evidence.link(graph, holder, target, None) for target in graph.targets.get(holder, ())[:1]]


def _leads_on(graph: WaitIndex, residue: Residue, resource: str, holders: list[str]) -> bool:
    """Whether the chain of waits from the holders reaches another stuck bounded resource."""
    nearest = cast("dict[str, tuple[str, ...]] | None", residue.notes.get(__name__))
    if nearest is None:
        residue.notes[__name__] = nearest = _nearest_bounded(graph, residue)
    for holder in holders:
        onward = (holder,) if graph.nodes[holder].kind in BOUNDED else nearest.get(holder, ())
        if any(one != resource for one in onward):
            return True
    return False


def _nearest_bounded(graph: WaitIndex, residue: Residue) -> dict[str, tuple[str, ...]]:
    """By stuck node: two of the bounded resources that its waits reach without passing another one. Two are enough to
    tell whether there is another one than a given one, and keep this linear."""
    dependents: dict[str, list[str]] = {}
    for node in residue.stuck:
        for provider in residue.conditions[node].providers:
            if provider in residue.stuck:
                dependents.setdefault(provider, []).append(node)
    nearest: dict[str, tuple[str, ...]] = {}
    work = [(node, node) for node in residue.stuck if graph.nodes[node].kind in BOUNDED]
    while work:
        node, bounded = work.pop()
        for dependent in dependents.get(node, ()):
            if graph.nodes[dependent].kind in BOUNDED:
                continue
            known = nearest.get(dependent, ())
            if len(known) < _ENOUGH and bounded not in known:
                nearest[dependent] = (*known, bounded)
                work.append((dependent, bounded))
    return nearest


def _title(graph: WaitIndex, waiter: str, resource: str, holders: list[str], links: list[EvidenceStep]) -> str:
    title = f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, resource)}"
    if graph.nodes[resource].kind is NodeKind.TX:
        if not holders:
            if any(edge.confidence is Confidence.EXACT for edge in graph.dead.get(resource, ())):
                return title  # who took from it has died, which is told then
            return f"{title}; {wording.only_waiters(graph, resource) or 'nobody is seen who would take from it'}"
        return f"{title}; {wording.are_stuck_too([wording.label(graph.nodes[h]) for h in holders])}"
    if not holders:
        return f"{title}, but nobody who is alive is known to hold it"
    if graph.is_taken_twice(resource) and waiter in holders:
        held = graph.held_by(resource, waiter)
        where = wording.at("at", "" if held is None else held.source or "")
        others = wording.several([wording.label(graph.nodes[one]) for one in holders if one != waiter])
        too = f", as did {others}" if others else ""
        return f"{title}, which it took itself{where}{too}; only somebody else can release it"
    title += f", held by {wording.several([wording.label(graph.nodes[h]) for h in holders])}"
    if len(holders) == 1 and len(links) > 1:
        way = leaf.leaf_of(graph, holders[0])
        if way is not None and way.steps:
            return f"{title}, which {leaf.clause(graph, way)}"
        title += f", which {wording.waits_for(graph, links[1].waiter, links[1].resource)}"
    return title


def _advice(graph: WaitIndex, resource: str, holders: list[str]) -> str:
    name = wording.label(graph.nodes[resource])
    if graph.nodes[resource].kind is NodeKind.TX:
        return f"Somebody must take from {name}, or the producer must give up: put with a timeout, or drop."
    if not holders:
        return f"Whoever took {name} may have ended without giving it back: take it with a `with` block."
    if graph.is_taken_twice(resource):
        once = "take it once" if graph.nodes[resource].kind is NodeKind.LOCK else "never take one while having another"
        thing = "a lock" if graph.nodes[resource].kind is NodeKind.LOCK else "a limit"
        return f"If {name} is a signal or is handed over, find who should release it; if it is {thing}, {once}."
    where = place(graph.nodes[holders[0]])
    line = wording.short(where) if own_line.is_line(where) else f"its wait {wording.short(where)}"
    return f"{name} comes free when its holder gets past {line}; do not hold it across a wait that may not end."
