# SPDX-License-Identifier: Apache-2.0
"""The indexes over one graph, made anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set

from .. import semconv
from ..model import Edge, EdgeKind, Graph, Node, NodeKind
from .closure import closure
from .wait_index import WaitIndex
from .wait_links import ANSWERS, Sorted, no_pause

_PAUSE_EVERY = 5000


class WaitGraph(WaitIndex):
    """`pause` is called now and then while a large graph is read, so that other threads may run. `marks`: the
    attributes of nodes that some rule speaks of."""

    def __init__(
        self,
        graph: Graph,
        settled: Set[str],
        pause: Callable[[], None] = no_pause,
        marks: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__()
        self.nodes = graph.nodes
        self.settled = settled
        self._edges = graph.edges
        self._read(graph.edges, pause)
        self.bounded: Set[str] = self._with_deadline()
        self._loops: dict[str, list[str]] | None = None
        self._marks = marks
        self._held_of: dict[str, list[str]] | None = None
        self._may_end: dict[str, list[str]] | None = None
        self._holds: dict[str, dict[str, Edge]] | None = None
        self._out: dict[str, list[Edge]] | None = None

    def _read(self, edges: Iterable[Edge], pause: Callable[[], None]) -> None:
        targets: dict[str, list[str]] = {}
        waiters: dict[str, list[str]] = {}
        holders: dict[str, list[str]] = {}
        users: dict[str, list[str]] = {}
        answers: dict[str, list[str]] = {}
        cancels: dict[str, list[str]] = {}
        bare: dict[str, list[str]] = {}
        enders: dict[str, list[str]] = {}
        reached: dict[str, list[str]] = {}
        dead: dict[str, list[Edge]] = {}
        needs, held_by = EdgeKind.NEEDS, EdgeKind.HELD_BY
        seldom = {EdgeKind.COULD_END: enders, EdgeKind.REACHED_BY: reached} | dict.fromkeys(ANSWERS, answers)
        for number, edge in enumerate(edges):  # a quarter of a million of them at times
            if number % _PAUSE_EVERY == 0:
                pause()
            kind, src, dst = edge.kind, edge.src, edge.dst
            if kind is needs:
                if src in targets:
                    targets[src].append(dst)
                else:
                    targets[src] = [dst]
                if dst in waiters:
                    waiters[dst].append(src)
                else:
                    waiters[dst] = [src]
                if edge.cancels:
                    cancels.setdefault(src, []).append(dst)
            elif kind is held_by:
                holders.setdefault(src, []).append(dst)
                if edge.bare:
                    bare.setdefault(src, []).append(dst)
            elif kind is EdgeKind.TOUCHES:
                users.setdefault(dst, []).append(src)
            elif kind is EdgeKind.HAD:
                dead.setdefault(dst, []).append(edge)
            elif kind in seldom:
                seldom[kind].setdefault(src, []).append(dst)
        self.targets: Mapping[str, Sequence[str]] = targets
        self.waiters: Mapping[str, Collection[str]] = waiters
        self.holders: Mapping[str, Sequence[str]] = holders
        self.users: Mapping[str, Collection[str]] = users
        self.answers: Mapping[str, Sequence[str]] = answers
        self.enders: Mapping[str, Sequence[str]] = enders
        self.reached: Mapping[str, Sequence[str]] = reached
        self.bare: Mapping[str, Sequence[str]] = bare
        self.dead: Mapping[str, Collection[Edge]] = dead
        self._cancels: Mapping[str, list[str]] = cancels

    def _with_deadline(self) -> set[str]:
        """Waiters that a timer ends, directly or by cancelling a parent that takes its children with it."""
        work: list[str] = []
        # Only who is waited for by others, or waits for a known thing, can end anything by its deadline.
        for waiter in self.targets:
            node = self.nodes.get(waiter)
            if node is not None and node.wait is not None and node.wait.deadline_ns is not None:
                work.append(waiter)
        return closure(work, lambda one: self._cancels.get(one, ()))

    def cancelled_by(self, waiter: str) -> Collection[str]:
        return self._cancels.get(waiter, ())

    def tasks_of(self, thread: str) -> Collection[str]:
        if self._loops is None:
            self._loops = {}
            for node in self.nodes.values():
                if node.kind is NodeKind.TASK:
                    home = node.attributes.get(semconv.TASK_THREAD)
                    if isinstance(home, str):
                        self._loops.setdefault(home, []).append(node.id)
        return self._loops.get(thread, [])

    def held_of(self, holder: str) -> Collection[str]:
        if self._held_of is None:
            self._held_of = _turned(self.holders)
        return self._held_of.get(holder, ())

    def may_end(self, node_id: str) -> Collection[str]:
        if self._may_end is None:
            self._may_end = _turned(self.enders)
        return self._may_end.get(node_id, ())

    def holds(self, resource: str) -> Mapping[str, Edge]:
        if self._holds is None:
            self._holds = {}
            for edge in self._edges:
                if edge.kind is EdgeKind.HELD_BY:
                    self._holds.setdefault(edge.src, {})[edge.dst] = edge
        return self._holds.get(resource, {})

    def edges_of(self, node_id: str) -> Sequence[Edge]:
        if self._out is None:
            self._out = {}
            for edge in self._edges:
                self._out.setdefault(edge.src, []).append(edge)
        return self._out.get(node_id, ())

    def sort(self, pause: Callable[[], None]) -> Sorted:
        tasks: list[Node] = []
        marked: list[Node] = []
        others: dict[NodeKind, list[Node]] = {}
        bearing: dict[str, list[Node]] = {}
        for number, node in enumerate(self.nodes.values()):
            if number % _PAUSE_EVERY == 0:
                pause()
            if node.kind is NodeKind.TASK:
                tasks.append(node)
                if not self._marks.isdisjoint(node.attributes):
                    marked.append(node)
            else:
                others.setdefault(node.kind, []).append(node)
                for mark in self._marks.intersection(node.attributes):
                    bearing.setdefault(mark, []).append(node)
        return Sorted(tasks, marked, others, bearing)


def _turned(index: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, values in index.items():
        for one in values:
            found.setdefault(one, []).append(key)
    return found
