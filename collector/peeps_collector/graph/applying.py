# SPDX-License-Identifier: Apache-2.0
"""From the columns of a snapshot to the new state of its process, in slices and beside the old state.

Rows that say what is known already end here, as columns; of what has changed, the nodes are made only where they are few
or end.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

import numpy as np

from peeps_otel.model import Edge

from .batch import Mask
from .change_columns import added_edges, told_nodes
from .changes import Changes
from .entry import Entry
from .mixing import Whole
from .standing import EDGES, IDENTITY, OF_NODE, TOLD, Placed, Standing

_AT_ONCE = 200
FEW = 100
"""See `picture_steps`."""


@dataclass(slots=True)
class Picture:
    """`over`: the nodes that are gone, with what was known of them; `ended`: their slots, where the stream is the
    same; `fresh`: rows of nodes that are new; `changed`: of all rows that say something new."""

    changes: Changes
    placed: Placed
    over: list[Entry]
    ended: list[int]
    fresh: list[int] = field(default_factory=list[int])
    changed: list[int] = field(default_factory=list[int])
    _entries: dict[int, Entry] = field(default_factory=dict[int, Entry])

    def entry(self, row: int) -> Entry:
        found = self._entries.get(row)
        if found is None:
            found = self._entries[row] = Entry(self.placed.batch, row, self.placed.ids[row])
        return found


@dataclass(slots=True)
class _Differences:
    """By row: whether the node differs, its identity, what is worth a row of history, its edges."""

    node: Mask
    identity: Mask
    told: Mask
    edges: Mask


def picture_steps(
    picture: Picture, standing: Standing, before: Mapping[str, Entry], few: int = FEW
) -> Generator[None, None, None]:
    """`standing`, `before`: what the stream has said so far. `few`: changed rows from which on they are not made
    objects."""
    placed, changes = picture.placed, picture.changes
    for number, entry in enumerate(picture.over):
        changes.gone(entry.node, entry.edges)
        if number % _AT_ONCE == 0:
            yield
    differs = standing.differing(placed)
    yield
    linked = (standing.counts(placed.slots) > 0) & placed.known | (np.diff(placed.batch.edge_bounds) > 0)
    of = _Differences(
        differs[:, OF_NODE].any(axis=1),
        differs[:, IDENTITY].any(axis=1),
        differs[:, TOLD].any(axis=1),
        differs[:, EDGES] & linked,
    )
    yield
    picture.fresh = np.flatnonzero(~placed.known).tolist()
    rows = np.flatnonzero(of.node | of.edges)
    if len(rows) < few:
        yield from _by_objects(picture, rows, before)
    else:
        yield from _by_columns(picture, of, standing, before)
    picture.changed = [row for row in rows.tolist() if placed.ids[row] in changes.nodes]


def _by_objects(picture: Picture, rows: Whole, before: Mapping[str, Entry]) -> Generator[None, None, None]:
    placed = picture.placed
    for number, row in enumerate(rows.tolist()):
        entry, old = picture.entry(row), before.get(placed.ids[row])
        if old is None:
            picture.changes.upsert(None, entry.node, (), entry.edges)
        else:
            picture.changes.upsert(old.node, entry.node, old.edges, entry.edges)
        if number % _AT_ONCE == 0:
            yield


def _by_columns(
    picture: Picture, of: _Differences, standing: Standing, before: Mapping[str, Entry]
) -> Generator[None, None, None]:
    placed, changes = picture.placed, picture.changes
    batch, ids = placed.batch, placed.ids
    for number, row in enumerate(np.flatnonzero(of.identity).tolist()):
        changes.identity(picture.entry(row).node)
        if number % _AT_ONCE == 0:
            yield
    yield from told_nodes(changes, batch, ids, np.flatnonzero(of.told))
    # One edge at most before and after: it is another one. Of several, some may be the same.
    is_plain = of.edges & (np.diff(batch.edge_bounds) <= 1) & (~placed.known | (standing.counts(placed.slots) <= 1))
    for number, row in enumerate(np.flatnonzero(is_plain & placed.known).tolist()):
        old = before.get(ids[row])
        changes.relink(() if old is None else old.edges, ())
        if number % _AT_ONCE == 0:
            yield
    linked = is_plain.copy()
    for number, row in enumerate(np.flatnonzero(of.edges & ~is_plain).tolist()):
        old = before.get(ids[row])
        had: set[Edge] = set() if old is None else set(old.edges)
        if not had:
            linked[row] = True
            continue
        has = set(batch.edges_of(row, ids[row]))
        if has != had:
            changes.relink(had, has)
            changes.nodes.add(ids[row])
        if number % _AT_ONCE == 0:
            yield
    yield from added_edges(changes, batch, ids, linked)
    changed = np.flatnonzero(of.node | linked)
    changes.nodes.update(ids[row] for row in changed.tolist())
    changes.any |= bool(changes.nodes)
