# SPDX-License-Identifier: Apache-2.0
"""The entries of one process by the ids of its nodes. What came as a row of a batch is an entry only once somebody asks
for it: until then it is its place, and a thousand places are set at once."""

from __future__ import annotations

import threading
from collections.abc import Generator, ItemsView, Iterable, Iterator, KeysView, MutableMapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import TypeAlias, cast

from .batch import Batch
from .entry import Entry

Place: TypeAlias = "tuple[Batch, int]"
Rows: TypeAlias = "tuple[Batch, list[int], list[str]]"
"""Rows of a batch, and the ids of their nodes."""
_AT_ONCE = 20_000


class Entries(MutableMapping[str, Entry]):
    """Thread-safe, but for who goes through all of it while another thread adds some."""

    __slots__ = ("_lock", "_of")

    def __init__(self) -> None:
        self._lock = threading.Lock()  # what is made of a place must not be put where there is a newer one already
        self._of: dict[str, Entry | Place] = {}

    # --- as objects ---------------------------------------------------------------------------------------------------

    def __getitem__(self, node_id: str) -> Entry:
        found = self._of[node_id]
        if isinstance(found, tuple):
            with self._lock:
                found = self._of[node_id]
                if isinstance(found, tuple):
                    found = self._of[node_id] = Entry(node_id, found)
        return found

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
        found = self._of.get(node_id)
        return Entry(node_id, found) if isinstance(found, tuple) else found

    # --- as rows ------------------------------------------------------------------------------------------------------

    def place(self, ids: Iterable[str], batch: Batch, rows: Iterable[int]) -> None:
        """These nodes are now as these rows say."""
        with self._lock:
            self._of.update(zip(ids, zip(repeat(batch), rows, strict=False), strict=True))

    def take(self, other: Entries) -> None:
        """All of `other`, which are as they were there."""
        with self._lock:
            self._of.update(other._of)

    def again(self, ids: Sequence[str], batch: Batch) -> Generator[None, None, None]:
        """The rows of a batch say of these nodes what is known of them: what said it before need not be kept. Of a
        node that is not here nothing happens. In slices."""
        for start in range(0, len(ids), _AT_ONCE):
            with self._lock:
                for row, node_id in enumerate(ids[start : start + _AT_ONCE], start):
                    found = self._of.get(node_id)
                    if isinstance(found, tuple):
                        self._of[node_id] = (batch, row)
                    elif found is not None:
                        found.is_also(batch, row)
            yield

    def by_batch(self, ids: Sequence[str]) -> Generator[None, None, tuple[list[Entry], list[Rows]]]:
        """These nodes: those that came as objects, and the others by where they stand. In slices."""
        objects: list[Entry] = []
        found: dict[int, Rows] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            raw = list(map(self._of.__getitem__, some))
            if set(map(type, raw)) == {tuple}:
                places = cast("list[Place]", raw)
                batch = places[0][0]
                if len(set(map(id, map(itemgetter(0), places)))) == 1:  # as of most: all are of the snapshot before
                    _, of_rows, of_ids = found.setdefault(id(batch), (batch, [], []))
                    of_rows += map(itemgetter(1), places)
                    of_ids += some
                    yield
                    continue
            for node_id, one in zip(some, raw, strict=True):
                place = one if isinstance(one, tuple) else one.place
                if place is None:
                    objects.append(self[node_id])
                    continue
                _, of_rows, of_ids = found.setdefault(id(place[0]), (place[0], [], []))
                of_rows.append(place[1])
                of_ids.append(node_id)
            yield
        return objects, list(found.values())
