# SPDX-License-Identifier: Apache-2.0
"""Starvation: somebody waits long for a lock, a permit or room in a channel, and whoever has it does not go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..model import EvidenceStep, Finding, FindingKind, Level, NodeKind, finding_id, own_line
from . import evidence, wording
from .frames import place
from .reduction import Requirement, behind
from .wait_graph import BOUNDED, WaitGraph

_KINDS = {
    NodeKind.LOCK: FindingKind.LOCK_STARVED,
    NodeKind.SEMAPHORE: FindingKind.SEMAPHORE_STARVED,
    NodeKind.TX: FindingKind.CHANNEL_FULL,
}


def find(
    graph: WaitGraph,
    conditions: Mapping[str, Requirement],
    stuck: set[str],
    level: Level,
    known: set[str],
    is_long: Callable[[str], bool],
) -> list[Finding]:
    """One finding per bounded resource at the root of a chain of waits.

    `is_long`: whether a waiter has waited longer than its site is known to. A resource whose holders wait for another
    stuck bounded resource is not named: what it waits for is.
    """
    findings: list[Finding] = []
    for resource in sorted(stuck):
        if graph.nodes[resource].kind not in BOUNDED or resource in known:
            continue
        if level is Level.PROVEN and not graph.asked_of_heap([resource]):
            continue  # a ring, or a holder in one, has been told already
        waiter = graph.oldest_waiter(resource)
        if waiter is None or waiter not in stuck or not is_long(waiter):
            continue
        holders = [holder for holder in conditions[resource].providers if holder in stuck]
        if _leads_on(graph, holders, stuck, resource, conditions):
            continue
        findings.append(_finding(graph, conditions, stuck, level, resource, waiter, holders))
    return findings


def _leads_on(
    graph: WaitGraph, holders: list[str], stuck: set[str], resource: str, conditions: Mapping[str, Requirement]
) -> bool:
    """Whether the chain of waits from the holders reaches another stuck bounded resource."""
    seen, work = {resource}, list(holders)
    while work:
        node = work.pop()
        if node in seen or node not in stuck:
            continue
        seen.add(node)
        if graph.nodes[node].kind in BOUNDED:
            return True
        work.extend(conditions[node].providers)
    return False


def _finding(
    graph: WaitGraph,
    conditions: Mapping[str, Requirement],
    stuck: set[str],
    level: Level,
    resource: str,
    waiter: str,
    holders: list[str],
) -> Finding:
    kind = _KINDS[graph.nodes[resource].kind]
    links = [evidence.link(graph, waiter, resource, holders[0] if holders else None)]
    for holder in holders:
        links.extend(evidence.link(graph, holder, target, None) for target in graph.targets.get(holder, ())[:1])
    core = list(dict.fromkeys([resource, *holders, *(step.resource for step in links)]))
    waiting = [n for n in behind({resource}, stuck, conditions) if n not in core and n != waiter]
    blocked = evidence.tail(graph, waiting)
    return Finding(
        id=finding_id(kind, [resource]),
        kind=kind,
        level=level,
        title=_title(graph, waiter, resource, holders, links),
        since_ns=graph.wait_of(waiter).since_ns,
        core=[waiter, *core],
        blocked=blocked,
        evidence=links,
        advice=_advice(graph, resource, holders),
        blocked_sites=evidence.sites(graph, blocked),
        look_at=place(graph.nodes[holders[0] if holders else waiter]),
    )


def _title(graph: WaitGraph, waiter: str, resource: str, holders: list[str], links: list[EvidenceStep]) -> str:
    title = f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, resource)}"
    if graph.nodes[resource].kind is NodeKind.TX:
        if not holders:
            return f"{title}; nobody is seen who would take from it"
        return (
            f"{title}; {wording.several([wording.label(graph.nodes[h]) for h in holders])} could, but is stuck itself"
        )
    if not holders:
        return f"{title}, but nobody who is alive is known to hold it"
    if graph.is_taken_twice(resource) and waiter in holders:
        held = graph.held_by(resource, waiter)
        where = wording.at("at", "" if held is None else held.source or "")
        return f"{title}, which it took itself{where}; only somebody else can release it"
    title += f", held by {wording.several([wording.label(graph.nodes[h]) for h in holders])}"
    if len(holders) == 1 and len(links) > 1:
        title += f", which {wording.waits_for(graph, links[1].waiter, links[1].resource)}"
    return title


def _advice(graph: WaitGraph, resource: str, holders: list[str]) -> str:
    name = wording.label(graph.nodes[resource])
    if graph.nodes[resource].kind is NodeKind.TX:
        return f"Somebody must take from {name}, or the producer must give up: put with a timeout, or drop."
    if not holders:
        return f"Whoever took {name} may have ended without giving it back: take it with a `with` block."
    if graph.is_taken_twice(resource):
        return f"If {name} is a signal or is handed over, find who should release it; if it is a lock, take it once."
    where = place(graph.nodes[holders[0]])
    line = wording.short(where) if own_line.is_line(where) else f"its wait {wording.short(where)}"
    return f"{name} comes free when its holder gets past {line}; do not hold it across a wait that may not end."
