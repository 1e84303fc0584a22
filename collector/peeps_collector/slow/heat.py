# SPDX-License-Identifier: Apache-2.0
"""A histogram for each step of time: how many took how long, and where most of them were."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_MS, _S = 1_000_000, 1_000_000_000
BOUNDS_NS: Sequence[int] = (
    *(_MS, 3 * _MS, 10 * _MS, 30 * _MS, 100 * _MS, 300 * _MS),
    *(_S, 3 * _S, 10 * _S, 30 * _S, 100 * _S),
)
"""Where a row ends and the next begins; the first is of what is shorter, the last of what is longer."""


class Point(NamedTuple):
    """Something took `ns` and ended at `time_ns`."""

    time_ns: int
    ns: int
    where: str


class Cell(NamedTuple):
    """`column`: which step; `row`: between which bounds; `number`: how many; `where`: of most of them."""

    column: int
    row: int
    number: int
    where: str


def heat(points: Iterable[Point], from_ns: int, step_ns: int, columns: int) -> list[Cell]:
    """By column, then row. What ended outside of the columns is left out."""
    found: dict[tuple[int, int], Counter[str]] = {}
    for time_ns, ns, where in points:
        column = (time_ns - from_ns) // step_ns
        if column == columns and time_ns == from_ns + step_ns * columns:
            column -= 1  # what goes on at the end of the time
        if 0 <= column < columns:
            found.setdefault((column, bisect_right(BOUNDS_NS, ns)), Counter())[where] += 1
    return [
        Cell(column, row, places.total(), min(places.items(), key=lambda item: (-item[1], item[0]))[0])
        for (column, row), places in sorted(found.items())
    ]
