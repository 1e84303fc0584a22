# SPDX-License-Identifier: Apache-2.0
"""The reduction over k-of-n waits and the strongly connected components of what it leaves.

A cycle is a deadlock only where every wait is an AND wait; `asyncio.wait`, semaphores and queues are OR or k-of-n
waits, for which the general answer is to reduce the graph (Bracha and Toueg, "Distributed deadlock detection", 1987;
Knapp, "Deadlock detection in distributed databases", ACM Computing Surveys 1987): what can run is live, a waiter
becomes live when k of its providers are, and what is left when nothing changes any more can never run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Condition(NamedTuple):
    """A node that is not live by itself: `k` of `providers` must become live first. More than there are: never."""

    k: int
    providers: Sequence[str]


def residue(conditions: Mapping[str, Condition]) -> set[str]:
    """The nodes of `conditions` that can never become live. A provider without a condition is live.

    Linear in nodes and edges.
    """
    missing: dict[str, int] = {}
    dependents: dict[str, list[str]] = {}
    work: list[str] = []
    for node, (k, providers) in conditions.items():
        needed = k
        for provider in providers:
            if provider in conditions:
                dependents.setdefault(provider, []).append(node)
            else:
                needed -= 1
        missing[node] = needed
        if needed <= 0:
            work.append(node)
    stuck = set(conditions)
    stuck.difference_update(work)
    while work:
        for dependent in dependents.get(work.pop(), ()):
            missing[dependent] -= 1
            if missing[dependent] <= 0 and dependent in stuck:
                stuck.remove(dependent)
                work.append(dependent)
    return stuck


def components(nodes: set[str], conditions: Mapping[str, Condition]) -> list[list[str]]:
    """Strongly connected components of `nodes`, each after those it points to (Tarjan 1972, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    found: list[list[str]] = []
    for root in sorted(nodes):
        if root in index:
            continue
        visits = [(root, iter(conditions[root].providers))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while visits:
            node, rest = visits[-1]
            for provider in rest:
                if provider not in nodes:
                    continue
                if provider not in index:
                    index[provider] = low[provider] = len(index)
                    stack.append(provider)
                    on_stack.add(provider)
                    visits.append((provider, iter(conditions[provider].providers)))
                    break
                if provider in on_stack:
                    low[node] = min(low[node], index[provider])
            else:
                visits.pop()
                if visits:
                    parent = visits[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    component: list[str] = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    found.append(component)
    return found


def cores(nodes: set[str], conditions: Mapping[str, Condition]) -> list[list[str]]:
    """The components of a residue that no edge leaves within it: the deadlocks. The rest waits behind them."""
    result: list[list[str]] = []
    for component in components(nodes, conditions):
        members = set(component)
        onward = {p for member in component for p in conditions[member].providers if p in nodes}
        if onward and onward <= members:
            result.append(component)
    return result


def shortest_cycle(core: Sequence[str], conditions: Mapping[str, Condition]) -> list[str]:
    """A shortest ring within a strongly connected core, beginning at its smallest node id. Breadth first."""
    members = set(core)
    best: list[str] = []
    for start in sorted(core):
        came_from: dict[str, str] = {}
        frontier = [start]
        while frontier and start not in came_from:
            following: list[str] = []
            for node in frontier:
                for provider in conditions[node].providers:
                    if provider in members and provider not in came_from:
                        came_from[provider] = node
                        following.append(provider)
            frontier = following
        if start not in came_from:
            continue
        ring = [came_from[start]]
        while ring[-1] != start:
            ring.append(came_from[ring[-1]])
        ring.reverse()
        if not best or len(ring) < len(best):
            best = ring
        if len(best) <= 4 or len(core) > 200:  # two tasks and two locks: no shorter story to tell
            break
    return best


def behind(core: set[str], nodes: set[str], conditions: Mapping[str, Condition]) -> set[str]:
    """The members of the residue `nodes` outside `core` whose waits lead into it."""
    dependents: dict[str, list[str]] = {}
    for node in nodes:
        for provider in conditions[node].providers:
            if provider in nodes:
                dependents.setdefault(provider, []).append(node)
    reached = set(core)
    work = list(core)
    while work:
        for dependent in dependents.get(work.pop(), ()):
            if dependent not in reached:
                reached.add(dependent)
                work.append(dependent)
    return reached - core
