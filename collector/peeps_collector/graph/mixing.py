# SPDX-License-Identifier: Apache-2.0
"""Many numbers to one of 64 bits, for whole columns at once: two rows that differ are told apart by it.

Texts come in by Python's own hash of them, which is another one in each run. Who makes two of them alike on purpose
only hides a change of his own node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Whole: TypeAlias = "NDArray[np.int64]"
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB)


def mixed(*columns: NDArray[Any]) -> NDArray[np.uint64]:
    """One number a row, of at most five columns of whole numbers."""
    total = np.zeros(len(columns[0]), np.uint64)
    for column, odd in zip(columns, _ODD, strict=False):
        total += column.astype(np.uint64) * np.uint64(odd)
    total ^= total >> np.uint64(30)
    total *= _FIRST
    total ^= total >> np.uint64(27)
    total *= _SECOND
    total ^= total >> np.uint64(31)
    return total


def hashes(values: Iterable[object], count: int) -> Whole:
    return np.fromiter(map(hash, values), np.int64, count)


def sums(of: NDArray[np.uint64], rows: Whole, size: int) -> Whole:
    """By row, the sum of its numbers, whatever their order. `rows`: of each number, ascending."""
    found = np.zeros(size, np.uint64)
    if len(rows):
        starts = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
        found[rows[starts]] = np.add.reduceat(of, starts)
    return found.view(np.int64)


def bounds(rows: Whole, size: int) -> Whole:
    """Where the entries of each row begin in an ascending column of rows, and where the last ones end."""
    return np.searchsorted(rows, np.arange(size + 1)).astype(np.int64)


def at(values: Sequence[str], places: Whole) -> list[str]:
    """Those at these places."""
    return list(map(values.__getitem__, places.tolist()))
