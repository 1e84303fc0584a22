# SPDX-License-Identifier: Apache-2.0
"""Histograms over time to draw: a cell for each step and length, darker where there were more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from ..api import Heat
from . import ages
from .columns import Table


@dataclass(frozen=True)
class Cell:
    """Parts of the width and of the height, from below; `strength`: 0 to 1."""

    left: float
    width: float
    bottom: float
    height: float
    strength: float
    title: str


@dataclass(frozen=True)
class Drawn:
    """`rows`: of each its words, from below; only those from the first to the last that has something in it."""

    cells: Sequence[Cell]
    rows: Sequence[str]


def of_answer(answer: Heat, zone: tzinfo | None = None) -> Drawn:
    cells = answer["cells"]
    if not cells:
        return Drawn([], [])
    first, last = min(one["row"] for one in cells), max(one["row"] for one in cells)
    most, height = max(one["number"] for one in cells), 1 / (last - first + 1)
    drawn = [
        Cell(
            one["column"] / answer["steps"],
            1 / answer["steps"],
            (one["row"] - first) * height,
            height,
            math.log1p(one["number"]) / math.log1p(most),
            f"{ages.clock(answer['since_ns'] + one['column'] * answer['step_ns'], zone)}: {one['number']:,} of "
            f"{_length(answer['bounds_ns'], one['row'])}, most of them: {one['where']}",
        )
        for one in cells
    ]
    return Drawn(drawn, [_length(answer["bounds_ns"], row) for row in range(first, last + 1)])


def table(answer: Heat) -> Table:
    """By length, the longest first: how many, and where most of the time step that had the most were."""
    rows = sorted({one["row"] for one in answer["cells"]}, reverse=True)
    of_row = {row: [one for one in answer["cells"] if one["row"] == row] for row in rows}
    return {
        "took": [_length(answer["bounds_ns"], row) for row in rows],
        "how many": [sum(one["number"] for one in of_row[row]) for row in rows],
        "for example": [max(of_row[row], key=lambda one: one["number"])["where"] for row in rows],
    }


def _length(bounds: Sequence[int], row: int) -> str:
    if row == 0:
        return f"under {ages.amount(bounds[0])}"
    if row == len(bounds):
        return f"over {ages.amount(bounds[-1])}"
    return f"{ages.amount(bounds[row - 1])} to {ages.amount(bounds[row])}"
