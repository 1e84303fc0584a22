# SPDX-License-Identifier: Apache-2.0
"""Who of another process has a lock: that of a file, of a key of Redis, of a manager of `multiprocessing`.

Each process has a node of its own for it, and all of these have one key. Where a process in which it is waited for does
not see who has it, and another one does, that is the holder: an edge to him, beside the processes' own nodes and
edges, which are never changed.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from peeps_otel import semconv
from peeps_otel.diagnosis.parties import Party, Turned
from peeps_otel.model import Confidence, Edge, EdgeKind, Node, Providers
from peeps_otel.model.shared_key import ELSEWHERE, is_on_host


@dataclass(slots=True)
class _Seen:
    """A lock as one process has it. `held`: its edges to those who have it there."""

    node: Node
    of: Party
    key: str
    held: tuple[Edge, ...]
    links: tuple[Edge, ...] = ()


class Named:
    """Not thread-safe: guarded by the lock of the live graph."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._of_key: dict[str, dict[str, _Seen]] = {}

    def put(self, node: Node, edges: Sequence[Edge], of: Party) -> list[Turned]:
        """A node as it is now, with its outgoing edges. Of one without a key nothing is kept."""
        key = _key(node, of)
        if not key:
            return self.drop(node.id)
        held = tuple(edge for edge in edges if edge.kind is EdgeKind.HELD_BY)
        known = self._seen.get(node.id)
        if known is not None and (known.key, known.held) == (key, held):
            known.node = node
            return []
        before = self.drop(node.id) if known is not None and known.key != key else []
        links = known.links if known is not None and not before else ()
        self._seen[node.id] = self._of_key.setdefault(key, {})[node.id] = _Seen(node, of, key, held, links)
        return before + self._settle(key)

    def drop(self, node_id: str) -> list[Turned]:
        """A node is gone, or is none of these any more."""
        seen = self._seen.pop(node_id, None)
        if seen is None:
            return []
        alike = self._of_key[seen.key]
        del alike[node_id]
        if not alike:
            del self._of_key[seen.key]
        gone = [Turned(seen.of.key, node_id, seen.links, ())] if seen.links else []
        return gone + self._settle(seen.key)

    def links(self, node_id: str) -> tuple[Edge, ...]:
        """Who of other processes has it; empty where nobody is seen to, or somebody of its own process has it."""
        seen = self._seen.get(node_id)
        return () if seen is None else seen.links

    def dressed(self, node: Node) -> Node:
        """The node with what follows from its holder."""
        if not self.links(node.id):
            return node
        about = dict(node.attributes)
        if semconv.RESOURCE_SHARED_WITH in about or about.get(semconv.COULD_END_OUTSIDE) == ELSEWHERE:
            about.pop(semconv.COULD_END_OUTSIDE, None)
        return replace(node, providers=Providers.ESTIMATED, attributes=about | {semconv.LOCK_LOCKED: True})

    def ids(self) -> Set[str]:
        return self._seen.keys()

    def _settle(self, key: str) -> list[Turned]:
        alike = self._of_key.get(key, {})
        turned: list[Turned] = []
        for node_id in sorted(alike):
            seen = alike[node_id]
            others = sorted((other for other in alike.values() if other.of.key != seen.of.key), key=lambda o: o.node.id)
            holds = [hold for other in others for hold in other.held]
            holds = [hold for hold in holds if not hold.bare] or holds
            after = () if seen.held else tuple(_link(node_id, hold) for hold in holds)
            if after != seen.links:
                before, seen.links = seen.links, after
                turned.append(Turned(seen.of.key, node_id, before, after))
        return turned


def _link(node_id: str, hold: Edge) -> Edge:
    return replace(hold, src=node_id, confidence=Confidence.INFERRED)


def _key(node: Node, of: Party) -> str:
    """What is equal for the same lock alone; empty where nothing tells."""
    told = node.attributes.get(semconv.RESOURCE_KEY)
    if not isinstance(told, str) or not told:
        return ""
    return f"{told} {of.host}" if is_on_host(told) else told
