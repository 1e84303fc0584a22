# SPDX-License-Identifier: Apache-2.0
"""What the nodes of one process were like last, as columns, so that a whole snapshot is compared with it at once.

A node has a slot for as long as it is there. Of texts, stacks, attributes and edges there are 64 bits each: enough to
tell whether they are the same (graph/mixing.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peeps_otel.model.ulid import ulid_text
from peeps_otel.model.wire_decoder import INFERRED, NODE_KINDS

from . import batch as of
from .batch import Batch, Mask
from .mixing import Whole, hashes, mixed, sums

IDENTITY = (0, 1, 2)
"""Columns of a state: when it was made, name, source."""
TOLD = (1, *range(3, 13))
"""Those that are worth a row of history."""
OF_NODE = slice(0, 15)
EDGES, EDGE_COUNT = 15, 16
_COLUMNS = 17
_LEAST = 64


@dataclass(slots=True)
class Placed:
    """Where the rows of a batch belong. `slots`: of each row, -1 for a node that is new; `ids`: the name of each;
    `renumbered`: a row has another number than its node had, or none; `version`: of the slots, when they were found."""

    batch: Batch
    ids: list[str]
    slots: Whole
    state: NDArray[np.int64]
    renumbered: bool
    version: int

    @property
    def known(self) -> Mask:
        return self.slots >= 0


class Standing:
    """The nodes of one stream, or those that were told one by one. Not thread-safe.

    `ids`: by slot. `adopt` gives a node the id under which the receiver knows it.
    """

    def __init__(self, adopt: Callable[[str], str] = lambda node: node) -> None:
        self.adopt = adopt
        self.ids: list[str] = []
        self._slot: dict[str, int] = {}
        self._of_local: dict[int, int] = {}
        self._local_of: dict[int, int] = {}
        self._free: list[int] = []
        self._state = np.zeros((_LEAST, _COLUMNS), np.int64)
        self._ulids = np.zeros((_LEAST, 2), np.uint64)
        self._kinds = np.full(_LEAST, -1, np.int64)
        self._version = 0

    # --- reading ------------------------------------------------------------------------------------------------------

    def place(self, batch: Batch) -> tuple[Placed, list[str]]:
        """The ids and slots of the rows, with the targets of the edges; and why rows are left out."""
        locals_ = batch.nodes[of.LOCAL].tolist()
        slots = np.fromiter(map(self._of_local.get, locals_, repeat(-1)), np.int64, len(locals_))
        known = (slots >= 0) & (self._kinds[slots] == batch.nodes[of.KIND])
        known &= (self._ulids[slots] == batch.ulids).all(axis=1)
        ids = [self.ids[slot] if slot >= 0 else "" for slot in slots.tolist()]
        others = np.flatnonzero(~known).tolist()
        raw = batch.ulids.tobytes() if others else b""
        is_adopted = False
        for row in others:
            told = f"{NODE_KINDS[batch.nodes[of.KIND].item(row)]}:{ulid_text(raw[16 * row : 16 * row + 16])}"
            ids[row] = self.adopt(told)
            is_adopted |= ids[row] != told
            slots[row] = self._slot.get(ids[row], -1)
        if is_adopted and len(set(ids)) < len(ids):
            first = {node_id: row for row, node_id in reversed(list(enumerate(ids)))}
            kept = np.array([first[node_id] == row for row, node_id in enumerate(ids)], np.bool_)
            batch.keep(kept)
            placed, _ = self.place(batch)
            return placed, [
                f"peeps.snapshot: nodes row {row}: local={locals_[row]} or its ulid is named twice"
                for row in np.flatnonzero(~kept).tolist()
            ]
        self._lead(batch, {locals_[row]: ids[row] for row in others})
        return Placed(batch, ids, slots, state_of(batch), bool(others), self._version), []

    def _lead(self, batch: Batch, fresh: dict[int, str]) -> None:
        targets = batch.edges[of.E_TARGET].tolist()
        if not fresh:
            found = map(self._of_local.get, targets, repeat(-1))
            batch.with_targets([self.ids[slot] if slot >= 0 else None for slot in found])
            return
        known, ids = self._of_local, self.ids
        batch.with_targets(
            [fresh.get(one) or (ids[known[one]] if one in known else None) for one in targets]
        )

    def is_current(self, placed: Placed) -> bool:
        """Whether no slot has changed hands since."""
        return placed.version == self._version

    def differing(self, placed: Placed) -> NDArray[np.bool_]:
        """Of each row and column, whether it differs from what stands. A new node differs in all."""
        differs = self._state[placed.slots] != placed.state
        differs[~placed.known] = True
        return differs

    def counts(self, slots: Whole) -> Whole:
        """How many edges stand in these slots."""
        return self._state[slots, EDGE_COUNT]

    def kinds(self, slots: Whole) -> Whole:
        return self._kinds[slots]

    def ended(self, placed: Placed, gone: Iterable[int]) -> list[int]:
        """The slots of the nodes with these numbers, as they are numbered with the batch. What is new in it has none."""
        numbers = dict.fromkeys(gone)
        if not numbers:
            return []
        named = zip(placed.batch.nodes[of.LOCAL].tolist(), placed.slots.tolist(), strict=True)
        fresh = {number: slot for number, slot in named if number in numbers}
        found = (fresh.get(number, self._of_local.get(number, -1)) for number in numbers)
        return [slot for slot in found if slot >= 0]

    def not_in(self, slots: Whole) -> list[int]:
        """All slots that are in use but these."""
        rest = self._kinds >= 0
        rest[slots[slots >= 0]] = False
        return np.flatnonzero(rest).tolist()

    # --- writing ------------------------------------------------------------------------------------------------------

    def take(self, placed: Placed, ended: Sequence[int], gone: Iterable[int], whole: bool) -> None:
        """The batch stands now. `ended`: slots whose nodes are gone; one that is in the batch all the same stays. `gone`:
        numbers that mean nothing any more; `whole`: nor do any that are not in the batch."""
        batch, slots = placed.batch, placed.slots
        if ended:
            stays = set(slots.tolist())
            for slot in ended:
                if slot not in stays:
                    self._release(slot)
        fresh = np.flatnonzero(slots < 0).tolist()
        for row in fresh:
            slots[row] = self._use(placed.ids[row])
        self._state[slots] = placed.state
        self._ulids[slots] = batch.ulids
        self._kinds[slots] = batch.nodes[of.KIND]
        if whole:
            self._of_local, self._local_of = {}, {}
        if whole or placed.renumbered:
            self._number(batch.nodes[of.LOCAL].tolist(), slots.tolist())
        for number in gone:
            slot = self._of_local.pop(number, None)
            if slot is not None:
                self._local_of.pop(slot, None)

    def _number(self, numbers: Sequence[int], slots: Sequence[int]) -> None:
        for number, slot in zip(numbers, slots, strict=True):
            before = self._of_local.get(number)
            if before is not None and before != slot:
                self._local_of.pop(before, None)  # another node has its number now
            self._of_local[number], self._local_of[slot] = slot, number

    def put(self, node_id: str, batch: Batch) -> None:
        """A node by itself, as the one row of a batch."""
        slot = self._slot.get(node_id)
        if slot is None:
            slot = self._use(node_id)
        self._version += 1
        self._state[slot] = state_of(batch)[0]
        self._kinds[slot] = batch.nodes[of.KIND][0]

    def remove(self, node_id: str) -> None:
        slot = self._slot.get(node_id)
        if slot is not None:
            self._release(slot)

    def _use(self, node_id: str) -> int:
        if self._free:
            slot = self._free.pop()
            self.ids[slot] = node_id
        else:
            slot = len(self.ids)
            self.ids.append(node_id)
            if slot >= len(self._kinds):
                self._grow()
        self._slot[node_id] = slot
        self._version += 1
        return slot

    def _grow(self) -> None:
        more = len(self._kinds)
        self._state = np.concatenate((self._state, np.zeros((more, _COLUMNS), np.int64)))
        self._ulids = np.concatenate((self._ulids, np.zeros((more, 2), np.uint64)))
        self._kinds = np.concatenate((self._kinds, np.full(more, -1, np.int64)))

    def _release(self, slot: int) -> None:
        del self._slot[self.ids[slot]]
        local = self._local_of.pop(slot, None)
        if local is not None and self._of_local.get(local) == slot:
            del self._of_local[local]
        self.ids[slot] = ""
        self._kinds[slot] = -1
        self._free.append(slot)
        self._version += 1


def state_of(batch: Batch) -> NDArray[np.int64]:
    """A row for each of the batch, of which the targets are known."""
    nodes, size, texts = batch.nodes, len(batch), batch.text_hashes
    waits = nodes[of.FLAGS] & of.WAITS != 0
    state = np.empty((size, _COLUMNS), np.int64)
    columns: list[NDArray[Any]] = [
        *(nodes[of.CREATED], texts[nodes[of.NAME]], texts[nodes[of.SOURCE]]),
        *(texts[nodes[of.STATE]], nodes[of.PROVIDED], nodes[of.FLAGS] & ~INFERRED),
        *(np.where(waits, texts[nodes[of.OPERATION]], 0), nodes[of.SINCE], nodes[of.NEEDS], nodes[of.DEADLINE]),
        *(np.where(waits, texts[nodes[of.WAIT_SOURCE]], 0), hashes(batch.stacks, len(batch.stacks))[nodes[of.STACK]]),
        *(_attributes(batch), nodes[of.STEPS], nodes[of.FLAGS] & INFERRED),
        *(_edges(batch), np.diff(batch.edge_bounds)),
    ]
    for number, column in enumerate(columns):
        state[:, number] = column
    return state


def _attributes(batch: Batch) -> Whole:
    key, kind, value = batch.attributes
    texts = batch.text_hashes
    is_text = (kind != 1) & (kind != 2)
    meant = np.where(is_text, texts[np.where(is_text, value, 0)], np.where(kind == 2, value != 0, value))
    return sums(mixed(texts[key], is_text, meant), batch.attribute_rows, len(batch))


def _edges(batch: Batch) -> Whole:
    kind, _, since, source, flags = batch.edges
    targets = hashes(batch.targets, len(batch.targets))
    return sums(mixed(kind, targets, since, batch.text_hashes[source], flags & 7), batch.edge_rows, len(batch))
