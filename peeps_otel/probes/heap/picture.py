# SPDX-License-Identifier: Apache-2.0
"""One still picture of the heap: every tracked object, its reference count, and all references as one flat array.

Forwards and backwards from a few things is cheap that way, and all who search the heap at one instant share it: 4 to 8
bytes a reference, about 150 an object. The heap must stand still (a copy of the process, or a program that waits).
"""

from __future__ import annotations

import gc
import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate, chain, compress, repeat
from typing import Any

from ..internals.heap import not_walked
from .native_reader import Make, NativeHeap

_CHUNK = 2000  # objects between two calls of `pause`
_REFERENCES = 200_000  # the same of references
_NOWHERE = -1


class Picture:
    """`objects` by position."""

    native: NativeHeap | None = None
    """The same picture made by C."""

    def __init__(self, pause: Callable[[], None]) -> None:
        # Nothing else of ours may hold an object while these run: every variable counts.
        (own,) = map(sys.getrefcount, [[]])  # of an object that is in one list and nowhere else
        objects: list[Any] = gc.get_objects()
        counts = list(map(sys.getrefcount, objects))
        self.objects = objects
        self._counts = array("q", (count - own for count in counts))
        self._ids = array("Q", map(id, objects))
        self.own_ids = frozenset(map(id, (objects, counts, vars(self))))
        """Of the picture's own parts, which refer to everything and mean nothing."""
        self._skipped, self._pause = not_walked(), pause
        self._place = dict(zip(self._ids, range(len(objects)), strict=True))
        self.onward = array("i")
        """The position of the target of each reference; -1: it is not tracked."""
        sizes = array("I")
        place = self._place.get
        for lists in self._referents():
            sizes.extend(map(len, lists))
            self.onward.extend(map(place, map(id, chain.from_iterable(lists)), repeat(_NOWHERE)))
        self.ends = array("Q", accumulate(sizes))
        """By position of a source: where its references end in `onward`; they begin where those before it end."""
        self._backwards: tuple[array[int], array[int]] | None = None
        self._types: Types | None = None

    def _referents(self) -> Iterable[list[list[Any]]]:
        """What each object refers to, many at a time, in order."""
        objects, skipped = self.objects, self._skipped
        for begin in range(0, len(objects), _CHUNK):
            yield [[] if one is skipped else gc.get_referents(one) for one in objects[begin : begin + _CHUNK]]
            self._pause()

    def place(self, address: int) -> int | None:
        """The position of an object; None where it is not tracked."""
        return self._place.get(address)

    def address(self, place: int) -> int:
        """Of an object by its position."""
        return self._ids[place]

    def count(self, place: int) -> int:
        """The references to an object beyond those of the picture itself."""
        return self._counts[place]

    def onward_from(self, place: int) -> Sequence[int]:
        """The positions of the targets of all its references; those to what is not tracked may be left out."""
        return self.onward[self.ends[place - 1] if place else 0 : self.ends[place]]

    def unexplained(self) -> list[int]:
        """The positions of objects with more references than the objects of the picture hold."""
        left = self._counts.tolist()
        left.append(0)  # for what is not tracked
        onward = self.onward
        for begin in range(0, len(onward), _REFERENCES):
            for target in onward[begin : begin + _REFERENCES]:
                left[target] -= 1
            self._pause()
        left.pop()
        return [place for place, count in enumerate(left) if count > 0]

    def referrers(self, targets: AbstractSet[int]) -> list[tuple[int, int]]:
        """(position of the source, address of the target) of every reference to one of `targets`, each as often as it
        is made."""
        last, before = self._chains()
        ends, found = self.ends, list[tuple[int, int]]()
        untracked: set[int] = set()
        for target in targets:
            place = self._place.get(target)
            if place is None:
                untracked.add(target)
                continue
            reference = last[place]
            while reference != _NOWHERE:
                found.append((bisect_right(ends, reference), target))
                reference = before[reference]
        if untracked:
            found += self._referrers_of_untracked(untracked)
        return found

    def _referrers_of_untracked(self, targets: set[int]) -> Iterable[tuple[int, int]]:
        begin = 0  # counted anew: frames that were looked at since have more references than they had
        for lists in self._referents():
            addresses = list(map(id, chain.from_iterable(lists)))
            ends = list(accumulate(map(len, lists)))
            for number in compress(range(len(addresses)), map(targets.__contains__, addresses)):
                yield begin + bisect_right(ends, number), addresses[number]
            begin += len(lists)

    def _chains(self) -> tuple[array[int], array[int]]:
        """By position of a target, the last reference to it; by reference, the one to the same target before it."""
        if self._backwards is None:
            last = array("i", repeat(_NOWHERE, len(self.objects) + 1))
            before = array("i", self.onward)
            for number, target in enumerate(self.onward):
                before[number] = last[target]
                last[target] = number
            self._backwards = last, before
        return self._backwards

    def positions(self, addresses: AbstractSet[int]) -> dict[int, int]:
        """Where the tracked ones among `addresses` are."""
        return {one: place for one in addresses if (place := self.place(one)) is not None}

    def of(self, is_wanted: Callable[[type[Any]], bool]) -> Iterable[tuple[int, Any]]:
        """Position and object of all whose type is wanted; of each type that is asked once."""
        if self._types is None:
            self._types = Types(self.objects)
        return compress(enumerate(self.objects), self._types.wanted(is_wanted))


class NativePicture(Picture):
    """The same, made by C: a hundred times as fast, and smaller. Only of a heap that stands still."""

    def __init__(self, make: Make) -> None:
        objects: list[Any] = gc.get_objects()
        heap = make(objects, not_walked())
        self.objects = objects
        self.native = self._heap = heap
        self.own_ids = frozenset((id(objects), id(vars(self))))

    def place(self, address: int) -> int | None:
        return self._heap.place(address)

    def address(self, place: int) -> int:
        return id(self.objects[place])

    def count(self, place: int) -> int:
        return self._heap.count(place)

    def onward_from(self, place: int) -> Sequence[int]:
        return self._heap.onward_from(place)

    def unexplained(self) -> list[int]:
        return self._heap.unexplained()

    def of(self, is_wanted: Callable[[type[Any]], bool]) -> Iterable[tuple[int, Any]]:
        places = self._heap.of(bytes(map(is_wanted, self._heap.kinds)))
        return ((place, self.objects[place]) for place in places)


class Types:
    """The types of many objects, by address: a metaclass of the program may say what its classes are equal to."""

    def __init__(self, objects: Sequence[Any]) -> None:
        kinds: list[type[Any]] = list(map(type, objects))
        self._each = array("Q", map(id, kinds))
        self._by_id = dict(zip(self._each, kinds, strict=True))

    def wanted(self, is_wanted: Callable[[type[Any]], bool]) -> Iterable[bool]:
        """Of each object, in order, whether its type is wanted; of each type that is asked once."""
        chosen = {address for address, kind in self._by_id.items() if is_wanted(kind)}
        return map(chosen.__contains__, self._each)
