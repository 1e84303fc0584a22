# SPDX-License-Identifier: Apache-2.0
"""The reduction over k-of-n waits and the strongly connected components of what it leaves.

A cycle is a deadlock only where every wait is an AND wait; `asyncio.wait`, semaphores and queues are OR or k-of-n
waits, for which the general answer is to reduce the graph (Bracha and Toueg, "Distributed deadlock detection", 1987;
Knapp, "Deadlock detection in distributed databases", ACM Computing Surveys 1987): what can run is live, a waiter
becomes live when k of its providers are, and what is left when nothing changes any more can never run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from .closure import no_pause

_SWEEP_WHILE_LEFT = 0.7
_PAUSE_EVERY = 100


class Requirement(NamedTuple):
    """A node that is not live by itself: `k` of `providers` must become live first, and `thread` too where it is given.

    More than there are providers: never. `thread`: a task makes no step while the thread of its event loop is stuck.
    """

    k: int
    providers: Sequence[str]
    thread: str | None = None

    def leads_to(self) -> Sequence[str]:
        """Everything that it waits for."""
        return self.providers if self.thread is None else (*self.providers, self.thread)


def residue(conditions: Mapping[str, Requirement], pause: Callable[[], None] = no_pause) -> set[str]:
    """The nodes of `conditions` that can never become live. A provider without a condition is live.

    Linear in nodes and edges. Nearly everything is live after one sweep or two, which allocate nothing; what resists is
    counted down along its edges.
    """
    stuck = set(conditions)
    remaining = list(conditions)
    while remaining:
        left: list[str] = []
        for number, node in enumerate(remaining):
            if number % _PAUSE_EVERY == 0:
                pause()
            k, providers, thread = conditions[node]
            if thread is None or thread not in stuck:
                for provider in providers:
                    if provider not in stuck:
                        k -= 1
                if k <= 0:
                    stuck.remove(node)
                    continue
            left.append(node)
        if len(left) == len(remaining):
            return stuck
        if len(left) > len(remaining) * _SWEEP_WHILE_LEFT:
            return _count_down(left, conditions, stuck, pause)
        left.reverse()  # a chain that this order met from its wrong end
        remaining = left
    return stuck


def _count_down(
    remaining: list[str], conditions: Mapping[str, Requirement], stuck: set[str], pause: Callable[[], None]
) -> set[str]:
    """The same by counters: each edge is looked at once, however long the chains are."""
    missing: dict[str, int] = {}
    dependents: dict[str, list[str]] = {}
    gated: dict[str, list[str]] = {}  # by thread: the tasks that still lack it
    work: list[str] = []
    for number, node in enumerate(remaining):
        if number % _PAUSE_EVERY == 0:
            pause()
        k, providers, thread = conditions[node]
        needed = k
        if thread is not None and thread in stuck:
            gated.setdefault(thread, []).append(node)
            needed += 1 + len(providers)  # not reached by its providers alone; taken off when the thread is live
        for provider in providers:
            if provider in stuck:
                dependents.setdefault(provider, []).append(node)
            else:
                needed -= 1
        missing[node] = needed
        if needed <= 0:
            work.append(node)
    gate = {node: 1 + len(conditions[node].providers) for node in remaining if conditions[node].thread in gated}
    stuck.difference_update(work)
    while work:
        node = work.pop()
        for dependent in dependents.get(node, ()):
            missing[dependent] -= 1
            if missing[dependent] <= 0 and dependent in stuck:
                stuck.remove(dependent)
                work.append(dependent)
        for task in gated.pop(node, ()):
            missing[task] -= gate[task]
            if missing[task] <= 0 and task in stuck:
                stuck.remove(task)
                work.append(task)
    return stuck


def components(
    nodes: set[str], conditions: Mapping[str, Requirement], pause: Callable[[], None] = no_pause
) -> list[list[str]]:
    """Strongly connected components of `nodes`, each after those it points to (Tarjan 1972, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    found: list[list[str]] = []
    for root in sorted(nodes):
        if root in index:
            continue
        pause()
        visits = [(root, iter(conditions[root].leads_to()))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while visits:
            node, rest = visits[-1]
            pause()
            for provider in rest:
                if provider not in nodes:
                    continue
                if provider not in index:
                    index[provider] = low[provider] = len(index)
                    stack.append(provider)
                    on_stack.add(provider)
                    visits.append((provider, iter(conditions[provider].leads_to())))
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


def cores(
    nodes: set[str], conditions: Mapping[str, Requirement], pause: Callable[[], None] = no_pause
) -> list[list[str]]:
    """The components of a residue that no edge leaves within it: the deadlocks. The rest waits behind them."""
    result: list[list[str]] = []
    # For most of a residue nobody waits, so it is in no ring: thousands at one event.
    awaited: set[str] = set()
    for node in nodes:
        awaited.update(conditions[node].leads_to())
    for component in components(nodes & awaited, conditions, pause):
        pause()
        members = set(component)
        onward = {p for member in component for p in conditions[member].leads_to() if p in nodes}
        if onward and onward <= members:
            result.append(component)
    return result


def shortest_cycle(core: Sequence[str], conditions: Mapping[str, Requirement]) -> list[str]:
    """A shortest ring within a strongly connected core. Breadth first; of equals the one whose nodes come earlier in
    `core`, with which it begins."""
    rank = {node: number for number, node in enumerate(core)}
    best: list[str] = []
    for start in core:
        came_from: dict[str, str] = {}
        frontier = [start]
        while frontier and start not in came_from:
            following: list[str] = []
            for node in frontier:
                onward = {p for p in conditions[node].leads_to() if p in rank and p not in came_from}
                for provider in sorted(onward, key=rank.__getitem__):
                    if provider not in came_from:
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


def dependents_of(nodes: Set[str], conditions: Mapping[str, Requirement]) -> dict[str, list[str]]:
    """By node: the members of the residue `nodes` that wait for it."""
    dependents: dict[str, list[str]] = {}
    for node in nodes:
        for provider in conditions[node].leads_to():
            if provider in nodes:
                dependents.setdefault(provider, []).append(node)
    return dependents


def reach(core: Iterable[str], dependents: Mapping[str, Sequence[str]]) -> set[str]:
    """All outside `core` whose waits lead into it."""
    members = set(core)
    reached, work = set(members), list(members)
    while work:
        for dependent in dependents.get(work.pop(), ()):
            if dependent not in reached:
                reached.add(dependent)
                work.append(dependent)
    return reached - members
