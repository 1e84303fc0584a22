# SPDX-License-Identifier: Apache-2.0
"""A page of rows of the API as columns to draw: ages as of now, what nobody says left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from ..api import Cell, Row, RowColumn, Rows
from . import words

Look = Literal["text", "seconds", "number", "bar", "percent"]

SYMBOLS = {
    "stuck": "■",
    "silent": "■",
    "blocked": "○",
    "full": "■",
    "waiting": "○",
    "awaited": "○",
    "running": "▸",
    "gone": "×",
    "held": "●",
}
_NUMBERS = ("since", "duration")
_TEXTS: dict[str, Look] = {"text": "text", "place": "text", "number": "number"}
_BAR = "full"
_OF_RUNNERS = ("state", "waits", "site")
_FIRST = {"tasks": _OF_RUNNERS, "threads": _OF_RUNNERS, "requests": ("state", "age", "site", "method")}
"""What a phone has room for, by table."""
_WIDE = 600
"""Characters of a cell; the whole text stands in the file."""


@dataclass(frozen=True)
class Drawn:
    """`columns`: by title, values from above; `looks`: how each is drawn. `filters`: of a group the one that opens it,
    else empty."""

    columns: dict[str, list[str | float | None]]
    looks: dict[str, Look]
    ids: list[str]
    filters: list[str]


def of_answer(answer: Rows, now_ns: int) -> Drawn:
    rows = answer["rows"]
    columns: dict[str, list[str | float | None]] = {}
    looks: dict[str, Look] = {}
    first = _FIRST.get(answer["table"], ())
    for column in sorted(answer["columns"], key=lambda one: _rank(one, first)):
        if not column["shown"]:
            continue
        values = [_value(row, column, now_ns) for row in rows]
        if any(value is not None for value in values):
            columns[column["title"]] = values
            looks[column["title"]] = _look(column)
    if any(row["count"] > 1 for row in rows):
        counts: list[str | float | None] = [row["count"] for row in rows]
        before = {title: values for title, values in columns.items() if title in _titles(answer, first)}
        columns = before | {"alike": counts} | columns
        looks["alike"] = "number"
    return Drawn(columns, looks, [row["id"] for row in rows], [row["members"] for row in rows])


def _rank(column: RowColumn, first: Sequence[str]) -> int:
    return first.index(column["key"]) if column["key"] in first else len(first)


def _titles(answer: Rows, keys: Collection[str]) -> set[str]:
    return {column["title"] for column in answer["columns"] if column["key"] in keys}


def _look(column: RowColumn) -> Look:
    kind = column["type"]
    if kind == "share":
        return "bar" if column["key"] == _BAR else "percent"
    return "seconds" if kind in _NUMBERS else _TEXTS[kind]


def _value(row: Row, column: RowColumn, now_ns: int) -> str | float | None:
    value: Cell | None = row["cells"].get(column["key"])
    if value is None:
        return None
    if isinstance(value, str):
        text = row["words"].get(column["key"], value)[:_WIDE]
        return f"{SYMBOLS.get(text, '·')} {text}" if column["key"] == "state" else text
    if column["type"] == "since":
        return max(now_ns - value, 0) / 1e9
    return value / 1e9 if column["type"] == "duration" else value


def summary(answer: Rows, shown_from: int) -> str:
    """`12 of 40 in 3 rows`, and which of them are on this page."""
    what = words.count(answer["total"], "row") if answer["table"] == "processes" else f"{answer['total']:,}"
    text = f"{answer['matched']:,} of {what}" if answer["matched"] != answer["total"] else f"all {what}"
    if answer["lines"] != answer["matched"]:
        text += f", those alike put together in {words.count(answer['lines'], 'row')}"
    shown = len(answer["rows"])
    if shown < answer["lines"]:
        text += f"; rows {shown_from + 1:,} to {shown_from + shown:,}"
    return text


def groups(answer: Rows) -> dict[str, str]:
    """What rows can be grouped by, with its title."""
    kinds = ("text", "place")
    keys = {c["key"]: c["title"] for c in answer["columns"] if c["type"] in kinds and c["key"] not in ("id", "state")}
    return {"none": "nothing"} | keys


def joined(query: str, members: str) -> str:
    """The filter that holds of the members of a group, within `query`."""
    return f"{query.strip()} {members}".strip()
