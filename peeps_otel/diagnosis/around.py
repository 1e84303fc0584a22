# SPDX-License-Identifier: Apache-2.0
"""One node with what it is in and waits for, as a graph of its own: to say what it does without reading the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..model import Edge, Graph, Node
from .wait_graph import WaitGraph


def around(node_id: str, nodes: Mapping[str, Node], edges_of: Callable[[str], Iterable[Edge]]) -> WaitGraph:
    """The node, the ends of its edges, and the ends of theirs. No wait in it counts as settled."""
    edges = list(edges_of(node_id))
    edges += [further for one in {edge.dst for edge in edges} - {node_id} for further in edges_of(one)]
    ids = {node_id, *(edge.dst for edge in edges)}
    return WaitGraph(Graph(nodes={one: nodes[one] for one in ids if one in nodes}, edges=edges), frozenset())
