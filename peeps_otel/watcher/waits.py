# SPDX-License-Identifier: Apache-2.0
"""The part of a process that a diagnosis needs, kept up to date with what changes: who waits for something of this
program, and for what."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .. import semconv
from ..diagnosis.kept_reduction import KeptReduction
from ..diagnosis.rules.registry import MARKS
from ..diagnosis.wait_links import no_pause
from ..model import Edge, EdgeKind, Node, NodeKind
from ..probes.probe import Observation
from .assembly import Difference
from .interfaces import Waiting

_LEFT_OUT = frozenset({EdgeKind.SPAWNED, EdgeKind.CHANNEL_LINK})
_NONE: tuple[Edge, ...] = ()


class Waits:
    """For the watcher thread only. A hundred thousand sleeping tasks cost nothing here, and what is as before neither.

    In the indexes is who matters, with the edges; whoever an edge of those leads to; and, with a thread that stands,
    all tasks of its loop.
    """

    def __init__(self, pause: Callable[[], None] = no_pause) -> None:
        """`pause`: of `WaitLinks`."""
        self.index = KeptReduction(MARKS)
        self.index.pause = pause
        self._ends: set[str] = set()  # those in the index that are there for others alone: of all, the fewer
        self._standing: set[str] = set()

    def update(self, difference: Difference, observation: Observation) -> Waiting:
        """Takes in one look and returns what to diagnose."""
        ends: set[str] = set()
        standing = set(self._standing)
        for before, node in difference.changed:
            self.index.pause()
            edges = observation.edges.get(node.id, ())
            if node.kind is NodeKind.THREAD:
                (standing.add if _stands(node, edges) else standing.discard)(node.id)
            if _matters(node, edges):
                self._ends.discard(node.id)
                self._put(node.id, node, _kept(edges), ends)
            elif before is not None and self._is_for_itself(node.id):
                self._put(node.id, None, _NONE, ends)
                ends.add(node.id)
            else:
                ends.add(node.id)
        for node in difference.gone:
            self._ends.discard(node.id)
            standing.discard(node.id)
            self._put(node.id, None, _NONE, ends)
        if standing != self._standing:
            turned, self._standing = standing ^ self._standing, standing
            ends.update(n.id for n in observation.nodes.values() if n.attributes.get(semconv.TASK_THREAD) in turned)
        self._put_ends(ends, observation)
        return Waiting(self.index, self.index.take_changed())

    def _put(self, node_id: str, node: Node | None, edges: tuple[Edge, ...], ends: set[str]) -> None:
        before = self.index.edges_of(node_id)
        self.index.put(node_id, node, edges)
        if edges != before:
            ends.update(edge.dst for edge in (*before, *edges))

    def _put_ends(self, ends: Iterable[str], observation: Observation) -> None:
        """Tasks that are awaited, or have a queue in their hands, are nodes too, whatever they do themselves."""
        for end in ends:
            self.index.pause()
            if self._is_for_itself(end):
                continue
            node = observation.nodes.get(end)
            if node is None and end not in self.index.nodes:
                continue
            if node is not None and not self.index.is_named(end):
                home = node.attributes.get(semconv.TASK_THREAD)
                node = node if home in self._standing else None
            self.index.put(end, node, _NONE)
            if node is None:
                self._ends.discard(end)
            else:
                self._ends.add(end)

    def _is_for_itself(self, node_id: str) -> bool:
        return node_id in self.index.nodes and node_id not in self._ends


def _kept(edges: tuple[Edge, ...]) -> tuple[Edge, ...]:
    """The same object where nothing is left out: there may be very many."""
    if all(edge.kind not in _LEFT_OUT for edge in edges):
        return edges
    return tuple(edge for edge in edges if edge.kind not in _LEFT_OUT)


def _stands(thread: Node, edges: tuple[Edge, ...]) -> bool:
    return semconv.LOOP_STALLED_SINCE in thread.attributes or (bool(edges) and thread.wait is not None)


def _matters(node: Node, edges: tuple[Edge, ...]) -> bool:
    if node.kind is not NodeKind.TASK:
        return True
    if node.wait is not None and edges:
        return True
    return not MARKS.isdisjoint(node.attributes)
