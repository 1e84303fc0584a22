# SPDX-License-Identifier: Apache-2.0
"""Lines of source with marks on those that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..api import SourceText

_AROUND = 1
_CUT = 160


class Mark(NamedTuple):
    """`here`: where it waits or is; `took`: where it took what others wait for. `note` stands beside the line."""

    kind: Literal["here", "took"]
    note: str


@dataclass(frozen=True)
class Row:
    """`mark` and `note` are empty on a line that only stands around; `number` is 0 where lines are left out."""

    number: int
    text: str
    mark: str = ""
    note: str = ""


def rows_of(marks: Mapping[str, Mark], sources: Mapping[str, SourceText]) -> list[Row]:
    """The marked places, `path:line`, that are in the file of the first one, each with a line before and behind it.
    Empty where no text is known."""
    parted = [(*place.rpartition(":")[::2], mark) for place, mark in marks.items()]
    parted = [(path, int(line), mark) for path, line, mark in parted if path and line.isdecimal()]
    if not parted:
        return []
    file = parted[0][0]
    marked = {line: mark for path, line, mark in reversed(parted) if path == file}
    texts: dict[int, str] = {}
    for line in marked:
        told = sources.get(f"{file}:{line}")
        if told is not None:
            texts |= {told["first"] + number: text for number, text in enumerate(told["lines"])}
    wanted = {number for line in marked for number in range(line - _AROUND, line + _AROUND + 1)}
    shown = [number for number in sorted(wanted & texts.keys()) if texts[number].strip() or number in marked]
    if not any(number in marked for number in shown):
        return []
    indent = (
        min(len(texts[n]) - len(texts[n].lstrip()) for n in shown if texts[n].strip())
        if any(texts[n].strip() for n in shown)
        else 0
    )
    return _with_gaps([_row(n, texts[n][indent:], marked.get(n)) for n in shown], texts)


def line_text(place: str, sources: Mapping[str, SourceText]) -> str:
    """The text of the line `path:line` without its indentation; empty where it is not known."""
    told, line = sources.get(place), place.rpartition(":")[2]
    at = int(line) - told["first"] if told is not None and line.isdecimal() else -1
    return told["lines"][at].strip()[:_CUT] if told is not None and 0 <= at < len(told["lines"]) else ""


def _row(number: int, text: str, mark: Mark | None) -> Row:
    cut = text if len(text) <= _CUT else text[: _CUT - 1] + "…"
    return Row(number, cut) if mark is None else Row(number, cut, mark.kind, mark.note)


def _with_gaps(rows: Sequence[Row], texts: Mapping[int, str]) -> list[Row]:
    """Where lines with something in them are left out, a row says so."""
    found: list[Row] = []
    for row in rows:
        between = range(found[-1].number + 1, row.number) if found else range(0)
        if len(between) and not all(n in texts and not texts[n].strip() for n in between):
            found.append(Row(0, "…"))
        found.append(row)
    return found
