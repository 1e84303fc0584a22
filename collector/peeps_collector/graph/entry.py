# SPDX-License-Identifier: Apache-2.0
"""A node of a process with its edges, as objects only once somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from peeps_otel.model import Edge, Node

from .batch import Batch


class Entry:
    """One state of a node; another one is another entry. Thread-safe: at worst two threads make the same objects."""

    __slots__ = ("_edges", "_node", "_place", "node_id")

    def __init__(self, node_id: str, place: tuple[Batch, int] | None) -> None:
        self.node_id = node_id
        self._place = place
        self._node: Node | None = None
        self._edges: tuple[Edge, ...] | None = None

    @property
    def place(self) -> tuple[Batch, int] | None:
        """The row that it is of; None where it came as objects."""
        return self._place

    @property
    def node(self) -> Node:
        found = self._node
        if found is None:
            place = self._place
            assert place is not None
            found = self._node = place[0].node(place[1], self.node_id)
        return found

    @property
    def edges(self) -> tuple[Edge, ...]:
        found = self._edges
        if found is None:
            place = self._place
            assert place is not None
            found = self._edges = place[0].edges_of(place[1], self.node_id)
        return found

    def is_also(self, batch: Batch, row: int) -> None:
        """The same state has come again: the snapshot that it came in first need not be kept for it."""
        if self._place is not None:
            self._place = (batch, row)

    @classmethod
    def of(cls, node: Node, edges: tuple[Edge, ...]) -> Entry:
        """Of what is there as objects."""
        entry = cls(node.id, None)
        entry._node, entry._edges = node, edges
        return entry


class Nodes(Mapping[str, Node]):
    """The nodes of entries."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries

    def __getitem__(self, node_id: str) -> Node:
        return self._entries[node_id].node

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
