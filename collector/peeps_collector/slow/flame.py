# SPDX-License-Identifier: Apache-2.0
"""Stacks with their time, put together to the boxes of a flame graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

ONE_SIDED, RESOURCE, HOLDER = 0, 1, 2
"""Sides of a frame: of the one who waits (or runs), what it waits for, of the one it waits for."""


class Sample(NamedTuple):
    """`frames`: text and side of each, root first."""

    frames: tuple[tuple[str, int], ...]
    ns: int


class Box(NamedTuple):
    """`parent`: its place in the list, which is before its own; None for a root. `from_ns`: where it begins, from the
    left. `own_ns`: what none of its children has."""

    parent: int | None
    depth: int
    from_ns: int
    ns: int
    own_ns: int
    text: str
    side: int


class Flame(NamedTuple):
    """`left_out`: boxes that were too many."""

    total_ns: int
    boxes: Sequence[Box]
    left_out: int


class _Place:
    __slots__ = ("children", "ns", "own_ns")

    def __init__(self) -> None:
        self.children: dict[tuple[str, int], _Place] = {}
        self.ns = self.own_ns = 0


def flame(samples: Iterable[Sample], most: int) -> Flame:
    """The largest `most` boxes; siblings from the left, the largest first, so that the picture says what matters."""
    root = _Place()
    for frames, ns in samples:
        if ns <= 0:
            continue
        here = root
        here.ns += ns
        for frame in frames:
            here = here.children.setdefault(frame, _Place())
            here.ns += ns
        here.own_ns += ns
    boxes: list[Box] = []
    # No recursion: a stack may be a thousand frames deep. A parent is on the list before its children are looked at.
    ahead: list[tuple[_Place, int | None, int, int]] = [(root, None, 0, 0)]
    while ahead:
        place, parent, depth, left = ahead.pop()
        for (text, side), child in sorted(place.children.items(), key=lambda item: (-item[1].ns, item[0])):
            boxes.append(Box(parent, depth, left, child.ns, child.own_ns, text, side))
            ahead.append((child, len(boxes) - 1, depth + 1, left))
            left += child.ns
    return Flame(root.ns, *_largest(boxes, most))


def _largest(boxes: list[Box], most: int) -> tuple[list[Box], int]:
    """A child is never larger than its parent, so that no box loses its own."""
    ranked = sorted(range(len(boxes)), key=lambda number: (-boxes[number].ns, boxes[number].depth, number))
    kept = sorted(ranked[:most])
    number_of = {old: new for new, old in enumerate(kept)}
    chosen = [boxes[old] for old in kept]
    told = [box._replace(parent=None if box.parent is None else number_of[box.parent]) for box in chosen]
    return told, len(boxes) - len(kept)
