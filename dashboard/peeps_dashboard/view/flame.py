# SPDX-License-Identifier: Apache-2.0
"""A flame graph to draw: boxes by parts of the width, and the lines that the time went to as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..api import Flame, FlameBox
from . import ages
from .columns import Table

_THINNEST = 0.001
_ROWS = 40


@dataclass(frozen=True)
class Box:
    """`left`, `width`: parts of the whole. `side`: 0 who waits or runs, 1 what is waited for, 2 who has it. `title`:
    all that is known, for the pointer and for who cannot see it."""

    depth: int
    left: float
    width: float
    side: int
    text: str
    title: str


@dataclass(frozen=True)
class Drawn:
    boxes: Sequence[Box]
    depth: int
    note: str


def of_answer(answer: Flame) -> Drawn:
    """Boxes that would be thinner than a thousandth are left out, which the note says."""
    whole = max(answer["total_ns"], 1)
    drawn = [_box(one, whole) for one in answer["boxes"] if one["ns"] / whole >= _THINNEST]
    thin = len(answer["boxes"]) - len(drawn) + answer["left_out"]
    note = f"{ages.amount(answer['total_ns'])} in all"
    if thin:
        note += f"; thin boxes are left out: {thin:,}"
    return Drawn(drawn, max((one.depth for one in drawn), default=-1) + 1, note)


def _box(one: FlameBox, whole: int) -> Box:
    share = one["ns"] / whole
    place = f" at {one['short']}" if one["short"] and one["short"] != one["text"] else ""
    title = f"{one['text']}{place}: {ages.amount(one['ns'])}, {share:.1%}"
    return Box(one["depth"], one["from_ns"] / whole, share, one["side"], one["text"], title)


def heaviest(answer: Flame) -> Table:
    """The places where the time was spent itself, most first: what a reader wants of the picture, in words."""
    total = max(answer["total_ns"], 1)
    boxes = answer["boxes"]
    spent: dict[tuple[str, str], int] = {}
    for number, one in enumerate(boxes):
        ns = _spent(boxes, one, two_sided=answer["of"] == "blame")
        if ns > 0:
            where = _where(boxes, number)
            spent[where] = spent.get(where, 0) + ns
    ranked = sorted(spent.items(), key=lambda item: (-item[1], item[0]))[:_ROWS]
    return {
        "where": [short or text for (text, short), _ in ranked],
        "function": [text if short and text != short else None for (text, short), _ in ranked],
        "time": [ages.amount(ns) for _, ns in ranked],
        "share": [ns / total for _, ns in ranked],
    }


def _spent(boxes: Sequence[FlameBox], one: FlameBox, *, two_sided: bool) -> int:
    """Of two sides it was spent where the holder stood, which is its first frame, for its stack is turned over."""
    if not two_sided:
        return one["own_ns"]
    parent = one["parent"]
    return one["ns"] if one["side"] == 2 and parent is not None and boxes[parent]["side"] == 1 else 0


def _where(boxes: Sequence[FlameBox], number: int) -> tuple[str, str]:
    """A box of what is waited for is no place: then the one that waits."""
    one = boxes[number]
    if one["side"] == 1 and one["parent"] is not None:
        waiter = boxes[one["parent"]]
        return f"{waiter['text']} {one['text']}", waiter["short"]
    return one["text"], one["short"]
