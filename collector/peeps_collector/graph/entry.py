# SPDX-License-Identifier: Apache-2.0
"""A node of a process with its edges, as objects only once somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from peeps_otel.model import Edge, Node

from .batch import Batch, row_of


class Entry:
    """One state of a node; another one is another entry. Thread-safe: at worst two threads make the same objects."""

    __slots__ = ("_edges", "_node", "_place", "node_id")

    def __init__(self, batch: Batch, row: int, node_id: str) -> None:
        self._place = (batch, row)
        self.node_id = node_id
        self._node: Node | None = None
        self._edges: tuple[Edge, ...] | None = None

    @property
    def node(self) -> Node:
        found = self._node
        if found is None:
            batch, row = self._place
            found = self._node = batch.node(row, self.node_id)
        return found

    @property
    def edges(self) -> tuple[Edge, ...]:
        found = self._edges
        if found is None:
            batch, row = self._place
            found = self._edges = batch.edges_of(row, self.node_id)
        return found

    def is_known(self, node: Node, edges: tuple[Edge, ...]) -> None:
        """They are there as objects already."""
        self._node, self._edges = node, edges

    def is_also(self, batch: Batch, row: int) -> None:
        """The same state has come again: the snapshot that it came in first need not be kept for it."""
        self._place = (batch, row)


def told(node: Node, edges: tuple[Edge, ...]) -> tuple[Entry, Batch]:
    """A node that was told by itself, and the same as a row of columns."""
    batch = row_of(node, edges)
    entry = Entry(batch, 0, node.id)
    entry.is_known(node, edges)
    return entry, batch


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
