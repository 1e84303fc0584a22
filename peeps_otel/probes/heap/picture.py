# SPDX-License-Identifier: Apache-2.0
"""One still picture of the heap: every tracked object, its reference count, and all references as one flat array.

Backwards from a few things is cheap that way: one pass in C over the array finds all references to a whole frontier.
8 bytes a reference and 12 an object; the heap must stand still (a copy of the process, or a program that waits).
"""

from __future__ import annotations

import gc
import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from itertools import accumulate, chain, compress
from typing import Any

from ..internals.heap import not_walked

_CHUNK = 2000  # objects between two calls of `pause`


class Picture:
    """`objects` and `counts` (references beyond those of the picture itself) by position; `ids`: their addresses."""

    def __init__(self, pause: Callable[[], None]) -> None:
        # Nothing else of ours may hold an object while these run: every variable counts.
        (own,) = map(sys.getrefcount, [[]])  # of an object that is in one list and nowhere else
        objects: list[Any] = gc.get_objects()
        counts = list(map(sys.getrefcount, objects))
        self.objects = objects
        self.counts = array("q", (count - own for count in counts))
        self.ids = array("Q", map(id, objects))
        self.own_ids = frozenset(map(id, (objects, counts, vars(self))))
        """Of the picture's own parts, which refer to everything and mean nothing."""
        self._flat = array("Q")
        sizes = array("I")
        skipped = not_walked()
        for begin in range(0, len(objects), _CHUNK):
            lists: list[list[Any]] = [
                [] if one is skipped else gc.get_referents(one) for one in objects[begin : begin + _CHUNK]
            ]
            sizes.extend(map(len, lists))
            self._flat.extend(map(id, chain.from_iterable(lists)))
            pause()
        self._ends = array("Q", accumulate(sizes))

    def referrers(self, targets: AbstractSet[int]) -> list[tuple[int, int]]:
        """(position of the source, address of the target) of every reference to one of `targets`, each as often as it
        is made."""
        flat, ends = self._flat, self._ends
        places = compress(range(len(flat)), map(targets.__contains__, flat))
        return [(bisect_right(ends, place), flat[place]) for place in places]

    def positions(self, addresses: AbstractSet[int]) -> dict[int, int]:
        """Where the tracked ones among `addresses` are."""
        ids = self.ids
        return {ids[place]: place for place in compress(range(len(ids)), map(addresses.__contains__, ids))}
