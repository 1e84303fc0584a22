# SPDX-License-Identifier: Apache-2.0
"""The part of a process that a diagnosis needs, kept up to date with what changes: who waits for something of this
program, and for what."""

from __future__ import annotations

from .. import semconv
from ..diagnosis.rules.registry import MARKS
from ..model import Edge, EdgeKind, Graph, Node, NodeKind
from ..probes.probe import Observation
from .assembly import Difference

_LEFT_OUT = frozenset({EdgeKind.SPAWNED, EdgeKind.CHANNEL_LINK})


class Waits:
    """For the watcher thread only. A hundred thousand sleeping tasks cost nothing here."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def update(self, difference: Difference, observation: Observation) -> Graph:
        """Takes in one look and returns the graph to diagnose."""
        for before, node in difference.changed:
            if _matters(node, observation):
                self._nodes[node.id] = node
            elif before is not None:
                self._nodes.pop(node.id, None)
        for node in difference.gone:
            self._nodes.pop(node.id, None)
        return self._graph(observation)

    def _graph(self, observation: Observation) -> Graph:
        nodes = dict(self._nodes)
        edges: list[Edge] = []
        standing: set[str] = set()
        for node_id, node in self._nodes.items():
            own = observation.edges.get(node_id, ())
            edges.extend(edge for edge in own if edge.kind not in _LEFT_OUT)
            if node.kind is NodeKind.THREAD and (
                semconv.LOOP_STALLED_SINCE in node.attributes or (own and node.wait is not None)
            ):
                standing.add(node_id)
        if standing:  # and with such a thread all tasks of its loop
            nodes.update(
                (node.id, node)
                for node in observation.nodes.values()
                if node.attributes.get(semconv.TASK_THREAD) in standing
            )
        # Tasks that are awaited, or have a queue in their hands, are nodes too, whatever they do themselves.
        for edge in edges:
            for end in (edge.src, edge.dst):
                if end not in nodes and end in observation.nodes:
                    nodes[end] = observation.nodes[end]
        return Graph(nodes, edges)


def _matters(node: Node, observation: Observation) -> bool:
    if node.kind is not NodeKind.TASK:
        return True
    if node.wait is not None and observation.edges.get(node.id):
        return True
    return not MARKS.isdisjoint(node.attributes)
