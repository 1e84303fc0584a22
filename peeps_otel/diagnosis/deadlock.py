# SPDX-License-Identifier: Apache-2.0
"""Deadlocks: the cores of the residue, as findings."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import Finding, FindingKind, Level, Link, NodeKind, finding_id
from . import wording
from .reduction import Condition, behind, cores, shortest_cycle
from .wait_graph import WAITERS, WaitGraph


def find(
    graph: WaitGraph, conditions: Mapping[str, Condition], stuck: set[str], level: Level, known: set[str]
) -> list[Finding]:
    """The rings within `stuck` that touch nothing in `known` (nodes a surer level has already explained).

    A ring that closes only because somebody has a full channel in his hands is named after the channel, unless two of
    its tasks wait for each other's channels.
    """
    findings: list[Finding] = []
    for core in cores(stuck, conditions):
        tasks = [member for member in core if graph.nodes[member].kind in WAITERS]
        if not tasks or known.intersection(core):
            continue
        cycle = shortest_cycle(core, conditions)
        links = ring_links(graph, cycle)
        tail = [n for n in behind(set(core), stuck, conditions) if graph.nodes[n].kind in WAITERS]
        on_resources = {step.resource for step in links if step.resource != step.holder}
        full = [r for r in on_resources if graph.nodes[r].kind is NodeKind.TX]
        kind = FindingKind.CHANNEL_FULL if full and len(on_resources) == 1 else FindingKind.DEADLOCK
        findings.append(
            Finding(
                id=finding_id(kind, core),
                kind=kind,
                level=level,
                title=wording.deadlock_title(graph, links),
                since_ns=max(graph.wait_of(task).since_ns for task in tasks),
                core=sorted(core),
                cycle=cycle,
                blocked=sorted(tail, key=lambda task: (graph.wait_of(task).since_ns, task)),
                evidence=links,
                advice=_advice(graph, links, kind),
            )
        )
    return findings


def ring_links(graph: WaitGraph, cycle: list[str]) -> list[Link]:
    """One link per task of the ring: it, what it waits for, who has that.

    Begins with the one that has waited longest for a resource, which tells more than who awaits whom.
    """
    tasks = [i for i, node in enumerate(cycle) if graph.nodes[node].kind in WAITERS]
    for_resources = [i for i in tasks if graph.nodes[cycle[(i + 1) % len(cycle)]].kind not in WAITERS]
    first = min(for_resources or tasks, key=lambda i: (graph.wait_of(cycle[i]).since_ns, graph.nodes[cycle[i]].name))
    ring = cycle[first:] + cycle[:first]
    links: list[Link] = []
    for position, node in enumerate(ring):
        if graph.nodes[node].kind not in WAITERS:
            continue
        target = ring[(position + 1) % len(ring)]
        is_task = graph.nodes[target].kind in WAITERS
        holder = target if is_task else ring[(position + 2) % len(ring)]
        links.append(wording.link(graph, node, target, holder))
    return links


def _advice(graph: WaitGraph, links: list[Link], kind: FindingKind) -> str:
    if kind is FindingKind.CHANNEL_FULL:
        return "Take from the channel in a task of its own, or await the producer only after draining it."
    if len(links) == 1 and links[0].resource != links[0].holder:
        held = wording.label(graph.nodes.get(links[0].resource))
        return f"{held} is not reentrant: its holder must not take it again before releasing it."
    locks = [step for step in links if step.hold_source is not None or step.hold_since_ns is not None]
    if len(locks) >= 2:
        names = sorted(wording.label(graph.nodes.get(step.resource)) for step in locks)
        return (
            f"Take {wording.several(names)} in the same order everywhere. Cancelling one of the tasks breaks the ring."
        )
    return "Only cancelling one of these tasks can release the ring."
