# SPDX-License-Identifier: Apache-2.0
"""The entries of one process by the ids of its nodes. What came as a row of a batch is an entry only once somebody asks
for it: until then it is its place, and a thousand places are set at once."""

from __future__ import annotations

import threading
from collections.abc import Generator, ItemsView, Iterator, KeysView, MutableMapping, Sequence
from itertools import pairwise
from typing import TypeAlias, cast

import numpy as np

from .batch import Batch
from .entry import Entry
from .mixing import Whole

Rows: TypeAlias = "tuple[Batch, Whole, Whole]"
"""Rows of a batch, and which of the nodes that were asked for they are."""
_AT_ONCE = 20_000
_BATCHES_FEW = 4
_ROW_BITS = 32
_ROW = (1 << _ROW_BITS) - 1


class Entries(MutableMapping[str, Entry]):
    """Thread-safe, but for who goes through all of it while another thread adds some.

    A place is one number, of its batch and its row there: the garbage collector does not look at it.
    """

    __slots__ = ("_batches", "_batches_most", "_lock", "_of")

    def __init__(self) -> None:
        self._lock = threading.Lock()  # what is made of a place must not be put where there is a newer one already
        self._of: dict[str, Entry | int] = {}
        self._batches: dict[int, Batch] = {}
        self._batches_most = _BATCHES_FEW

    # --- as objects ---------------------------------------------------------------------------------------------------

    def __getitem__(self, node_id: str) -> Entry:
        found = self._of[node_id]
        if isinstance(found, int):
            with self._lock:
                found = self._of[node_id]
                if isinstance(found, int):
                    found = self._of[node_id] = self._entry(node_id, found)
        return found

    def _entry(self, node_id: str, place: int) -> Entry:
        return Entry(node_id, (self._batches[place >> _ROW_BITS], place & _ROW))

    def __setitem__(self, node_id: str, entry: Entry) -> None:
        with self._lock:
            self._of[node_id] = entry

    def __delitem__(self, node_id: str) -> None:
        with self._lock:
            del self._of[node_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._of

    def keys(self) -> KeysView[str]:
        return self._of.keys()

    def items(self) -> ItemsView[str, Entry]:
        return self._made().items()

    def _made(self) -> dict[str, Entry]:
        return {node_id: self[node_id] for node_id in self._of}

    def passing(self, node_id: str) -> Entry | None:
        """For one look at it: the entry is not kept for the next who asks."""
        with self._lock:
            found = self._of.get(node_id)
            return self._entry(node_id, found) if isinstance(found, int) else found

    # --- as rows ------------------------------------------------------------------------------------------------------

    @property
    def names(self) -> dict[str, Entry | int]:
        """All ids, as the keys of what is only to be read."""
        return self._of

    def place(self, ids: Sequence[str], batch: Batch, rows: Whole) -> None:
        """These nodes are now as these rows say."""
        with self._lock:
            self._place(ids, batch, rows)

    def _place(self, ids: Sequence[str], batch: Batch, rows: Whole) -> None:
        self._batches[batch.number] = batch
        self._of.update(zip(ids, _places(batch, rows), strict=True))
        self._forget_batches()

    def take(self, other: Entries) -> None:
        """All of `other`, which are as they were there."""
        with self._lock:
            self._batches |= other._batches
            self._of.update(other._of)
            self._forget_batches()

    def _forget_batches(self) -> None:
        """Those of which nothing is known any more. Looked for once there are twice as many as the last time."""
        if len(self._batches) <= self._batches_most:
            return
        places = [one for one in self._of.values() if type(one) is int]
        used: list[int] = np.unique(np.array(places, np.int64) >> _ROW_BITS).tolist()
        self._batches = {number: self._batches[number] for number in used}
        self._batches_most = 2 * len(used) + _BATCHES_FEW

    def again(self, ids: Sequence[str], batch: Batch) -> Generator[None, None, None]:
        """The rows of a batch say of these nodes what is known of them: what said it before need not be kept. Of a
        node that is not here nothing happens. In slices."""
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            rows = np.arange(start, start + len(some))
            with self._lock:
                found = list(map(self._of.get, some))
                if set(map(type, found)) == {int}:
                    self._place(some, batch, rows)
                else:
                    here = [number for number, one in enumerate(found) if isinstance(one, int)]
                    self._place([some[number] for number in here], batch, rows[here])
                    for row, one in enumerate(found, start):
                        if isinstance(one, Entry):
                            one.is_also(batch, row)
            yield

    def by_batch(self, ids: Sequence[str]) -> Generator[None, None, tuple[list[Entry], list[Rows]]]:
        """These nodes: those that came as objects, and the others by where they stand. In slices."""
        objects: list[Entry] = []
        places = np.empty(len(ids), np.int64)
        batches: dict[int, Batch] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            with self._lock:
                batches |= self._batches
                found = list(map(self._of.__getitem__, some))
            if set(map(type, found)) == {int}:
                places[start : start + len(some)] = cast("list[int]", found)
            else:
                places[start : start + len(some)] = [_place_of(one, objects, batches) for one in found]
            yield
        order = np.argsort(places, kind="stable")
        numbers = places[order] >> _ROW_BITS
        ends = np.flatnonzero(np.diff(numbers, append=-2)) + 1
        of_batches: list[Rows] = []
        for begin, end in pairwise([0, *ends.tolist()]):
            which = order[begin:end]
            if numbers[begin] >= 0:
                of_batches.append((batches[numbers.item(begin)], places[which] & _ROW, which))
        yield
        return objects, of_batches


def _places(batch: Batch, rows: Whole) -> list[int]:
    return (rows + (batch.number << _ROW_BITS)).tolist()


def _place_of(one: Entry | int, objects: list[Entry], batches: dict[int, Batch]) -> int:
    """-1 for one that came as objects."""
    if isinstance(one, int):
        return one
    if one.place is None:
        objects.append(one)
        return -1
    batch, row = one.place
    batches[batch.number] = batch
    return batch.number << _ROW_BITS | row
