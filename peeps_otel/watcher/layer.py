# SPDX-License-Identifier: Apache-2.0
"""Facts and edges that hold for long, laid over the nodes and edges that the probes show: on a kept observation once,
and again only where what they lie on has changed."""

from __future__ import annotations

from collections.abc import Set

from ..model import AttributeValue, Edge, Node
from ..model.graph import with_attributes
from ..model.untracked import untracked
from ..probes.kept import Kept
from ..probes.probe import Observation

_Facts = dict[str, AttributeValue]


class Layer:
    """For the watcher thread only. A node, or tuple of edges, that has not changed and has the same laid over it is the
    same object as before: the assembler tells changes by identity.

    `again`: the nodes over which something is to be laid whether they have changed or not; emptied by `begin`.
    """

    def __init__(self) -> None:
        self.again: set[str] = set()
        self._observation = Observation()
        self._made: dict[str, tuple[Node, Node]] = {}  # at this look, for it alone
        self._joined: dict[str, tuple[tuple[Edge, ...], tuple[Edge, ...]]] = {}
        self._made_before, self._joined_before = self._made, self._joined
        self._shared: dict[tuple[int, tuple[tuple[str, AttributeValue], ...]], tuple[_Facts, _Facts]] = {}

    def begin(self, observation: Observation) -> Set[str] | None:
        """A new look. The nodes over which everything that holds is to be laid; None: all of them."""
        nodes, edges = observation.nodes, observation.edges
        before, self._observation = self._observation, observation
        again, self.again = self.again, set()
        self._made_before, self._made = self._made, {}
        self._joined_before, self._joined = self._joined, {}
        self._shared = {}
        if not isinstance(nodes, Kept) or not isinstance(edges, Kept):
            return None
        if nodes is not before.nodes or edges is not before.edges:
            return None
        return again | nodes.written() | edges.written()

    def lay(self, node_id: str, facts: _Facts, more: tuple[Edge, ...] = ()) -> None:
        """Over a node that is there."""
        self._over_node(node_id, facts)
        self._over_edges(node_id, more)

    def take_away(self, node_id: str) -> None:
        """Nothing is to lie over it any more."""
        nodes, edges = self._observation.nodes, self._observation.edges
        if isinstance(nodes, Kept):
            self._bare(nodes, node_id)
        if isinstance(edges, Kept):
            self._bare_edges(edges, node_id)

    def _over_node(self, node_id: str, facts: _Facts) -> None:
        nodes = self._observation.nodes
        if isinstance(nodes, Kept):
            kept, cover = nodes.kept(node_id), nodes.covered_by(node_id)
            if kept is not None:
                attributes = self._with(kept.attributes, facts)
                if cover is not None and cover.attributes == attributes:
                    return
                if nodes.cover(node_id, untracked(with_attributes(kept, attributes))):
                    return
            self._bare(nodes, node_id)
            self.again.add(node_id)  # on what was written for this look alone
        shown, attributes = nodes[node_id], nodes[node_id].attributes | facts
        made = self._made_before.get(node_id)
        if made is None or made[0] is not shown or made[1].attributes != attributes:
            made = shown, with_attributes(shown, attributes)
        self._made[node_id] = made
        nodes[node_id] = made[1]

    def _with(self, attributes: _Facts, facts: _Facts) -> _Facts:
        """Both: one dictionary for all nodes of this look that share theirs and of which the same is said, for that may
        be said of all tasks there are."""
        key = id(attributes), tuple(facts.items())
        known = self._shared.get(key)  # keeps the dictionary, hence its identity
        if known is None:
            known = self._shared[key] = attributes, attributes | facts
        return known[1]

    def _over_edges(self, node_id: str, more: tuple[Edge, ...]) -> None:
        edges = self._observation.edges
        if isinstance(edges, Kept):
            kept, cover = edges.kept(node_id), edges.covered_by(node_id)
            if kept is not None and (kept if cover is None else cover) == kept + more:
                return
            if kept is not None and edges.cover(node_id, kept + more):
                return
            self._bare_edges(edges, node_id)
            self.again.add(node_id)
        shown = edges.get(node_id, ())
        joined = self._joined_before.get(node_id)
        if joined is None or joined[0] is not shown or joined[1] != shown + more:
            joined = shown, shown + more
        self._joined[node_id] = joined
        if joined[1]:
            edges[node_id] = joined[1]

    @staticmethod
    def _bare(nodes: Kept[Node], node_id: str) -> None:
        """Takes away what lay over it; what was written for this look alone was made of that."""
        kept, cover, shown = nodes.kept(node_id), nodes.covered_by(node_id), nodes.get(node_id)
        nodes.uncover(node_id)
        if kept is None or cover is None or shown is None or shown is cover:
            return
        laid = cover.attributes.keys() - kept.attributes.keys()
        attributes = {key: value for key, value in shown.attributes.items() if key not in laid}
        nodes[node_id] = with_attributes(shown, attributes)

    @staticmethod
    def _bare_edges(edges: Kept[tuple[Edge, ...]], node_id: str) -> None:
        """The same of edges."""
        kept, cover, shown = edges.kept(node_id), edges.covered_by(node_id), edges.get(node_id)
        edges.uncover(node_id)
        if kept is None or cover is None or shown is None or shown is cover:
            return
        laid = cover[len(kept) :]
        edges[node_id] = tuple(edge for edge in shown if edge not in laid)
