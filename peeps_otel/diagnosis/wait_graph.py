# SPDX-License-Identifier: Apache-2.0
"""From nodes and edges to conditions: who waits for how many of whom, at a given strictness."""

from __future__ import annotations

from collections.abc import Set

from ..model import EdgeKind, Graph, Level, Node, NodeKind, Providers, Wait
from .reduction import Condition

WAITERS = frozenset({NodeKind.TASK, NodeKind.THREAD})
BOUNDED = frozenset({NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.TX})
"""Resources that can run out: somebody who waits for one waits because others have it."""

# What only the program itself ends. Everything else (sockets, timers, executors, bare futures) may be ended from
# outside at any moment and counts as live however long it takes.
_OWN = frozenset({NodeKind.EVENT, NodeKind.CONDITION, NodeKind.BARRIER, NodeKind.RX})


# These need all their children, but the exception of any one ends them at once: one live child is enough to doubt.
_ENDED_EARLY = frozenset({"gather", "taskgroup"})


class WaitGraph:
    """Indexes over one graph. `settled`: the waiters that have not advanced since the look before."""

    def __init__(self, graph: Graph, settled: Set[str]) -> None:
        self.nodes = graph.nodes
        self.targets: dict[str, list[str]] = {}
        self.waiters: dict[str, list[str]] = {}
        self.holders: dict[str, list[str]] = {}
        self.users: dict[str, list[str]] = {}
        self._cancels: dict[str, list[str]] = {}
        self.edge_of = {(edge.src, edge.dst, edge.kind): edge for edge in graph.edges}
        for edge in graph.edges:
            match edge.kind:
                case EdgeKind.NEEDS:
                    self.targets.setdefault(edge.src, []).append(edge.dst)
                    self.waiters.setdefault(edge.dst, []).append(edge.src)
                    if edge.cancels:
                        self._cancels.setdefault(edge.src, []).append(edge.dst)
                case EdgeKind.HELD_BY:
                    self.holders.setdefault(edge.src, []).append(edge.dst)
                case EdgeKind.TOUCHES:
                    self.users.setdefault(edge.dst, []).append(edge.src)
                case _:
                    pass
        self._settled = settled
        self._bounded = self._with_deadline()

    def _with_deadline(self) -> set[str]:
        """Waiters that a timer ends, directly or by cancelling a parent that takes its children with it."""
        work = [node.id for node in self.nodes.values() if node.wait is not None and node.wait.deadline_ns is not None]
        bounded = set(work)
        while work:
            for child in self._cancels.get(work.pop(), ()):
                if child not in bounded:
                    bounded.add(child)
                    work.append(child)
        return bounded

    def conditions(self, level: Level, now_ns: int, old_ns: int) -> dict[str, Condition]:
        """The nodes that are not live by themselves, as seen at `level`.

        PROVEN: only closed sets of providers can be exhausted. LIKELY: estimated ones too, and a full channel once all
        who have it in their hands are stuck. SUSPECT: also what only this program can end and has not for `old_ns`.
        A node that is not in the graph, a waiter that has advanced, and a wait with a deadline are live.
        """
        found: dict[str, Condition] = {}
        for waiter, targets in self.targets.items():
            node = self.nodes.get(waiter)
            if node is None or node.wait is None or waiter not in self._settled or waiter in self._bounded:
                continue
            early = level is Level.PROVEN and node.wait.operation in _ENDED_EARLY
            found[waiter] = Condition(1 if early else node.wait.needs, targets)
            for target in targets:
                resource = self.nodes.get(target)
                if resource is None or target in found or resource.kind in WAITERS:
                    continue
                condition = self._resource(resource, level, now_ns, old_ns)
                if condition is not None:
                    found[target] = condition
        return found

    def _resource(self, resource: Node, level: Level, now_ns: int, old_ns: int) -> Condition | None:
        holders = self.holders.get(resource.id, [])
        if resource.kind in (NodeKind.LOCK, NodeKind.SEMAPHORE):
            sure = resource.providers is Providers.CLOSED or level is not Level.PROVEN
            return Condition(1, holders) if holders and sure else None
        if level is Level.PROVEN:
            return None
        if resource.kind is NodeKind.TX:
            waiting = set(self.waiters.get(resource.id, ()))
            takers = [user for user in self.users.get(resource.id, ()) if user not in waiting]
            return Condition(1, takers) if takers or level is Level.SUSPECT else None
        if level is Level.SUSPECT and resource.kind in _OWN and now_ns - self.oldest_wait(resource.id) >= old_ns:
            return Condition(1, ())
        return None

    def wait_of(self, waiter: str) -> Wait:
        """The wait of a node known to wait."""
        wait = self.nodes[waiter].wait
        assert wait is not None
        return wait

    def oldest_waiter(self, resource: str) -> str | None:
        """Who has waited longest for it among those in the graph."""
        known = [w for w in self.waiters.get(resource, ()) if w in self.nodes and self.nodes[w].wait is not None]
        return min(known, key=lambda w: (self.wait_of(w).since_ns, w), default=None)

    def oldest_wait(self, resource: str) -> int:
        """When the oldest wait for it began; a time far ahead where nobody waits."""
        waiter = self.oldest_waiter(resource)
        return 1 << 63 if waiter is None else self.wait_of(waiter).since_ns
