# SPDX-License-Identifier: Apache-2.0
"""Nodes and edges that are kept from look to look, so that a look costs what has changed since the one before.

Who sees very many things writes only those that have changed (`Keeper`). What anybody else writes into an observation,
in the usual way, holds for that look alone. Who lays something over very many of them covers each, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Generic, TypeVar

from ..model import Edge, Node
from .probe import Observation

Value = TypeVar("Value")


class Kept(dict[str, Value], Generic[Value]):
    """Not thread-safe. A dictionary to read; to be written by item, by `|=`, and by the methods here, in no other way.
    Remembers what was there before for all that was written since `take_changes`."""

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[str, Value | None] = {}
        self._beneath: dict[str, Value | None] = {}
        self._covered: dict[str, tuple[Value, Value]] = {}

    def begin(self) -> None:
        """A new look: what held for the last one alone is taken back."""
        beneath, self._beneath = self._beneath, {}
        for key, value in beneath.items():
            self._put(key, value)

    def __setitem__(self, key: str, value: Value) -> None:
        if key not in self._beneath:
            self._beneath[key] = self.get(key)
        self._put(key, value)

    def __ior__(self, other: Mapping[str, Value]) -> Kept[Value]:  # pyright: ignore[reportIncompatibleMethodOverride]  # takes any mapping, returns this table
        for key, value in other.items():
            self[key] = value
        return self

    def update(self, *_: Any, **__: Any) -> None:
        """Not to be used: a dictionary's own would not remember what was there, and nobody would hear of the change."""
        raise TypeError("write a Kept by |=, not by update")

    def keep(self, key: str, value: Value | None) -> None:
        """Holds until it is said otherwise. None: it is there no more."""
        self._beneath.pop(key, None)
        covered = self._covered.get(key)
        if covered is not None:
            if covered[0] is value:
                value = covered[1]
            else:
                del self._covered[key]
        self._put(key, value)

    def cover(self, key: str, value: Value) -> bool:
        """Shows it in place of what is kept, for as long as that stays or until `uncover`. False, and nothing is done,
        where nothing is kept, or something else was written for this look."""
        kept = self.kept(key)
        if kept is None or key in self._beneath:
            return False
        self._covered[key] = kept, value
        self._put(key, value)
        return True

    def uncover(self, key: str) -> None:
        """What is kept is shown again, beneath what was written for this look."""
        covered = self._covered.pop(key, None)
        if covered is None:
            return
        if key in self._beneath:
            self._beneath[key] = covered[0]
        else:
            self._put(key, covered[0])

    def kept(self, key: str) -> Value | None:
        """What is kept, whatever covers it or was written for this look; None: nothing."""
        covered = self._covered.get(key)
        return self._beneath.get(key, self.get(key)) if covered is None else covered[0]

    def covered_by(self, key: str) -> Value | None:
        """What is shown in place of what is kept; None: nothing else."""
        covered = self._covered.get(key)
        return None if covered is None else covered[1]

    def written(self) -> Set[str]:
        """Where something may be otherwise than at the last `take_changes`."""
        return self._before.keys()

    def _put(self, key: str, value: Value | None) -> None:
        shown = self.get(key)
        if shown is value:
            return
        self._before.setdefault(key, shown)
        if value is None:
            del self[key]
        else:
            super().__setitem__(key, value)

    def take_changes(self) -> dict[str, Value | None]:
        """By key, what was there at the last call, of all for which there is something else now; None: nothing."""
        before, self._before = self._before, {}
        return {key: value for key, value in before.items() if self.get(key) is not value}


class Keeper:
    """Who shows very many nodes. On observations that are not kept each look is shown in full."""

    def __init__(self) -> None:
        self._nodes: Kept[Node] | None = None
        self._edges: Kept[tuple[Edge, ...]] | None = None

    def is_new(self, observation: Observation) -> bool:
        """Whether everything is to be shown, not only what has changed. Before `show`."""
        nodes, edges = observation.nodes, observation.edges
        if not isinstance(nodes, Kept) or not isinstance(edges, Kept):
            self._nodes = self._edges = None
            return True
        if nodes is self._nodes:
            return False
        self._nodes, self._edges = nodes, edges
        return True

    def show(self, observation: Observation, node: Node, edges: tuple[Edge, ...]) -> None:
        if self._nodes is None or self._edges is None:
            observation.nodes[node.id] = node
            observation.edges[node.id] = edges
        else:
            self._nodes.keep(node.id, node)
            self._edges.keep(node.id, edges)

    def hide(self, node_id: str) -> None:
        """It is there no more."""
        if self._nodes is not None and self._edges is not None:
            self._nodes.keep(node_id, None)
            self._edges.keep(node_id, None)

    def forget(self) -> None:
        """Everything is to be shown at the next look."""
        self._nodes = self._edges = None
