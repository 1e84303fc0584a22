# SPDX-License-Identifier: Apache-2.0
"""What the nodes of one process were like last, as columns, so that a whole snapshot is compared with it at once.

A node has a slot for as long as it is there. Of texts, stacks, attributes and edges there are 64 bits each: enough to
tell whether they are the same (graph/mixing.py).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from peeps_otel.model import Node
from peeps_otel.model.ulid import ulid_text
from peeps_otel.model.wire_numbers import INFERRED, NODE_KINDS

from . import batch as of
from .batch import Batch, Mask
from .entry import Entry
from .mixing import Whole, at, hashes, mixed, sums

IDENTITY = (0, 1, 2)
"""Columns of a state: when it was made, name, source."""
TOLD = (1, *range(3, 13))
"""Those that are worth a row of history."""
OF_NODE = slice(0, 15)
EDGES, EDGE_COUNT = 15, 16
_COLUMNS = 17
_LEAST = 64
_AT_ONCE = 20_000
_FEW_AT_ONCE = 2_000
_LARGE_PART = 4
Steps = Generator[None, None, None]
State: TypeAlias = "NDArray[np.int64]"
"""A row for each node, with the columns that are named above."""


@dataclass(slots=True)
class Placed:
    """Where the rows of a snapshot belong: of each its name, its number in the stream, its ULID, its kind by
    NODE_KINDS, and its slot, -1 for a node that is new. `renumbered`: one has another number than it had, or had none;
    `version`: of the slots, when they were found."""

    ids: list[str]
    numbers: list[int]
    ulids: NDArray[np.uint64]
    kinds: Whole
    slots: Whole
    renumbered: bool
    version: int

    @property
    def known(self) -> Mask:
        return self.slots >= 0

    def new(self) -> list[str]:
        """Before they have slots: the nodes that have none."""
        return [self.ids[row] for row in np.flatnonzero(self.slots < 0).tolist()]


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
        self._in_order: tuple[Whole, Whole] | None = None  # numbers, ascending, and their slots
        self._free: list[int] = []
        self._state = np.zeros((_LEAST, _COLUMNS), np.int64)
        self._ulids = np.zeros((_LEAST, 2), np.uint64)
        self._kinds = np.full(_LEAST, -1, np.int64)
        self._stale: set[int] = set()  # slots whose state is that of the entry
        self._version = 0

    # --- reading ------------------------------------------------------------------------------------------------------

    def place(self, batch: Batch) -> Generator[None, None, Placed | None]:
        """The ids and slots of the rows; with them, the batch gets the targets of its edges. None where two rows are
        one node. In slices."""
        numbers = batch.nodes[of.LOCAL].tolist()
        slots = yield from self._slots_of(batch.nodes[of.LOCAL])
        known = (slots >= 0) & (self._kinds[slots] == batch.nodes[of.KIND])
        known &= (self._ulids[slots] == batch.ulids).all(axis=1)
        yield
        ids: list[str] = []
        for start in range(0, len(slots), _AT_ONCE):
            some = slots[start : start + _AT_ONCE]
            ids += at(self.ids, some) if self.ids else [""] * len(some)  # of those that have no slot: any
            yield
        others = np.flatnonzero(~known).tolist()
        raw = batch.ulids.tobytes() if others else b""
        is_adopted = False
        for number, row in enumerate(others):
            if number % _FEW_AT_ONCE == 0:
                yield
            told = f"{NODE_KINDS[batch.nodes[of.KIND].item(row)]}:{ulid_text(raw[16 * row : 16 * row + 16])}"
            ids[row] = self.adopt(told)
            is_adopted |= ids[row] != told
            slots[row] = self._slot.get(ids[row], -1)
        if is_adopted and len(set(ids)) < len(ids):
            return None
        yield
        yield from self._lead(batch, {numbers[row]: ids[row] for row in others})
        return Placed(ids, numbers, batch.ulids, batch.nodes[of.KIND], slots, bool(others), self._version)

    def place_told(self, nodes: Sequence[Node], numbers: Sequence[int], ulids: NDArray[np.uint64]) -> Placed:
        """The same for nodes that are objects; `adopt` has named them."""
        slots = [self._slot.get(node.id, -1) for node in nodes]
        renumbered = any(
            slot < 0 or self._of_local.get(number) != slot for number, slot in zip(numbers, slots, strict=True)
        )
        kinds = np.array([NODE_KINDS.index(node.kind) for node in nodes], np.int64)
        ids = [node.id for node in nodes]
        return Placed(ids, list(numbers), ulids, kinds, np.array(slots, np.int64), renumbered, self._version)

    def id_of(self, number: int) -> str | None:
        slot = self._of_local.get(number)
        return None if slot is None else self.ids[slot]

    def _slots_of(self, numbers: Whole) -> Generator[None, None, Whole]:
        """-1 for a number that nobody has. Where many are asked for, all are looked up at once."""
        if self._in_order is None and _LARGE_PART * len(numbers) > len(self._of_local) > 0:
            version = self._version
            known = np.fromiter(self._of_local, np.int64)
            yield
            slots = np.fromiter(self._of_local.values(), np.int64)
            yield
            if version == self._version:  # else a node that is told by itself has gone meanwhile
                order = np.argsort(known)
                self._in_order = known[order], slots[order]
                yield
        if self._in_order is not None:
            known, slots = self._in_order
            places = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
            yield
            return np.where(known[places] == numbers, slots[places], -1)
        return np.fromiter(map(self._of_local.get, numbers.tolist(), repeat(-1)), np.int64, len(numbers))

    def _lead(self, batch: Batch, fresh: dict[int, str]) -> Steps:
        """Sets the targets of the edges. `fresh`: ids by numbers that are new with the batch."""
        told, of_edges = np.unique(batch.edges[of.E_TARGET], return_inverse=True)
        yield
        numbers: list[int] = told.tolist()
        slots = (yield from self._slots_of(told)).tolist()
        targets: list[str | None] = []
        for start in range(0, len(numbers), _AT_ONCE):
            pairs = zip(numbers[start : start + _AT_ONCE], slots[start : start + _AT_ONCE], strict=True)
            targets += [
                fresh[number] if number in fresh else self.ids[slot] if slot >= 0 else None for number, slot in pairs
            ]
            yield
        batch.with_targets(targets, of_edges)
        yield

    def is_current(self, placed: Placed) -> bool:
        """Whether no slot has changed hands since."""
        return placed.version == self._version

    def refresh(self, entries: Mapping[str, Entry]) -> Steps:
        """Reads the states of the nodes that came as objects."""
        slots = list(self._stale)
        for start in range(0, len(slots), _FEW_AT_ONCE):
            columns, some = of.Columns(), slots[start : start + _FEW_AT_ONCE]
            for slot in some:
                entry = entries[self.ids[slot]]
                columns.add(entry.node, entry.edges)
            self._state[some] = state_of(columns.batch())
            self._stale.difference_update(some)
            yield

    def differing(self, placed: Placed, state: State) -> NDArray[np.bool_]:
        """Of each row and column, whether it differs from what stands. A new node differs in all."""
        differs = self._state[placed.slots] != state
        differs[~placed.known] = True
        return differs

    def counts(self, slots: Whole) -> Whole:
        """How many edges stand in these slots."""
        return self._state[slots, EDGE_COUNT]

    def ended(self, placed: Placed, gone: Iterable[int]) -> list[int]:
        """The slots of the nodes with these numbers, as they are numbered with the rows. What is new has none."""
        numbers = dict.fromkeys(gone)
        if not numbers:
            return []
        named = zip(placed.numbers, placed.slots.tolist(), strict=True)
        fresh = {number: slot for number, slot in named if number in numbers}
        found = (fresh.get(number, self._of_local.get(number, -1)) for number in numbers)
        return [slot for slot in found if slot >= 0]

    def not_in(self, slots: Whole) -> list[int]:
        """All slots that are in use but these."""
        rest = self._kinds >= 0
        rest[slots[slots >= 0]] = False
        return np.flatnonzero(rest).tolist()

    # --- writing ------------------------------------------------------------------------------------------------------

    def take(self, placed: Placed, state: State | None, ended: Sequence[int], gone: Iterable[int], whole: bool) -> None:
        """The rows stand now. `state`: theirs; None where it has to be read from the entries. `ended`: slots whose
        nodes are gone; one that is in a row all the same stays. `gone`: numbers that mean nothing any more; `whole`:
        nor do any that are not in the rows."""
        slots = placed.slots
        if ended:
            stays = set(slots.tolist())
            for slot in ended:
                if slot not in stays:
                    self._release(slot)
        fresh = np.flatnonzero(slots < 0)
        slots[fresh] = self._use([placed.ids[row] for row in fresh.tolist()])
        if state is None:
            self._stale.update(slots.tolist())
        else:
            self._state[slots] = state
            if self._stale:
                self._stale.difference_update(slots.tolist())
        self._ulids[slots] = placed.ulids
        self._kinds[slots] = placed.kinds
        if whole or placed.renumbered or gone:
            self._in_order = None
        if whole:
            self._of_local, self._local_of = {}, {}
        if whole or placed.renumbered:
            self._number(placed.numbers, slots.tolist())
        for number in gone:
            slot = self._of_local.pop(number, None)
            if slot is not None:
                self._local_of.pop(slot, None)

    def _number(self, numbers: Sequence[int], slots: Sequence[int]) -> None:
        if not self._of_local:
            self._of_local, self._local_of = (
                dict(zip(numbers, slots, strict=True)),
                dict(zip(slots, numbers, strict=True)),
            )
            return
        for number, slot in zip(numbers, slots, strict=True):
            before = self._of_local.get(number)
            if before is not None and before != slot:
                self._local_of.pop(before, None)  # another node has its number now
            self._of_local[number], self._local_of[slot] = slot, number

    def put(self, node: Node) -> None:
        """A node by itself, which its entry has."""
        slot = self._slot.get(node.id)
        if slot is None:
            slot = self._use([node.id])[0]
        self._version += 1
        self._stale.add(slot)
        self._kinds[slot] = NODE_KINDS.index(node.kind)

    def remove(self, node_id: str) -> None:
        slot = self._slot.get(node_id)
        if slot is not None:
            self._release(slot)

    def _use(self, ids: Sequence[str]) -> list[int]:
        """Slots for new nodes."""
        free = min(len(self._free), len(ids))
        slots = [self._free.pop() for _ in range(free)]
        for slot, node_id in zip(slots, ids, strict=False):
            self.ids[slot] = node_id
        slots += range(len(self.ids), len(self.ids) + len(ids) - free)
        self.ids += ids[free:]
        while len(self.ids) > len(self._kinds):
            self._grow()
        self._slot.update(zip(ids, slots, strict=True))
        self._version += 1
        return slots

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
            self._in_order = None
        self.ids[slot] = ""
        self._kinds[slot] = -1
        self._stale.discard(slot)
        self._free.append(slot)
        self._version += 1


def state_of(batch: Batch) -> State:
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
    return sums(
        mixed(kind, batch.target_hashes(), since, batch.text_hashes[source], flags & 7), batch.edge_rows, len(batch)
    )
