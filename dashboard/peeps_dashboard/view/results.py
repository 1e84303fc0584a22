# SPDX-License-Identifier: Apache-2.0
"""The result of a statement: as a table that a person reads, and which of its columns make a chart."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import tzinfo

from ..api_sql import Result, Value
from . import ages, curves
from .columns import Table

BARS_MOST = 50
_EPOCH_LEAST_NS = 10**17
"""A whole number of nanoseconds from here on is a time (1973), below it a duration."""
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")


def table(answer: Result, names: Mapping[str, str], zone: tzinfo | None) -> Table:
    """Columns by title. Times and durations in words, places short, processes by `names`; equal titles numbered."""
    drawn: Table = {}
    for number, column in enumerate(answer["columns"]):
        title, again = column["name"], 1
        while title in drawn:
            again += 1
            title = f"{column['name']} ({again})"
        drawn[title] = [_shown(column["name"], row[number], answer, names, zone) for row in answer["rows"]]
    return drawn


def numbers(answer: Result) -> list[str]:
    """Columns that can be drawn."""
    found = [c["name"] for c in answer["columns"] if c["type"].lstrip("U").startswith(_NUMBERS)]
    return [name for name in found if not is_time(answer, name)]


def labels(answer: Result) -> list[str]:
    """Columns that say what is drawn: times first, then texts."""
    times = [c["name"] for c in answer["columns"] if is_time(answer, c["name"])]
    return times + [c["name"] for c in answer["columns"] if c["type"] == "VARCHAR"]


def bars(answer: Result, label: str, number: str, names: Mapping[str, str]) -> tuple[Table, str]:
    """The largest first, with a share of the largest for the bar, and the title of that column."""
    at, of = _place(answer, label), _place(answer, number)
    pairs = [
        (str(_shown(label, row[at], answer, names, None) or ""), float(value))
        for row in answer["rows"]
        if isinstance(value := row[of], int | float)
    ]
    pairs.sort(key=lambda pair: -pair[1])
    pairs = pairs[:BARS_MOST]
    most = max((value for _, value in pairs), default=0.0)
    share = f"share of the largest {number}"
    return {
        label: [name for name, _ in pairs],
        number: [_amount(number, value) for _, value in pairs],
        share: [value / most if most > 0 else 0.0 for _, value in pairs],
    }, share


def over_time(
    answer: Result, time: str, number: str, zone: tzinfo | None
) -> tuple[curves.Drawn, tuple[str, str]] | None:
    """Each value from its time to the next, and the times at both ends. None where there are not two moments."""
    at, of = _place(answer, time), _place(answer, number)
    points = sorted(
        (moment, float(value))
        for row in answer["rows"]
        if isinstance(moment := row[at], int) and isinstance(value := row[of], int | float)
    )
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return None
    first, last = points[0][0], points[-1][0]
    most = max(value for _, value in points)
    corners = [(0.0, 1.0)]
    before = 1.0
    for moment, value in points:
        x, y = (moment - first) / (last - first), 1.0 - (value / most if most > 0 else 0.0)
        corners += [(x, before), (x, y)]
        before = y
    corners.append((1.0, 1.0))
    drawn = curves.Drawn(
        node="", label=number, where="", says=f"at most {_amount(number, most)}", corners=corners, is_full=False
    )
    return drawn, (ages.clock(first, zone), ages.clock(last, zone))


def as_csv(answer: Result) -> bytes:
    """The values as they are, with a header line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column["name"] for column in answer["columns"]])
    writer.writerows([[_plain(value) for value in row] for row in answer["rows"]])
    return text.getvalue().encode()


def _shown(
    name: str, value: Value, answer: Result, names: Mapping[str, str], zone: tzinfo | None
) -> str | float | None:
    if isinstance(value, str):
        return answer.get("places", {}).get(value) or names.get(value, value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and _is_of_time(name):
        return ages.clock(value, zone) if value >= _EPOCH_LEAST_NS else ages.amount(value)
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return _plain(value)


def _plain(value: Value) -> str | float | None:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _amount(name: str, value: float) -> str:
    return ages.amount(int(value)) if _is_of_time(name) else f"{value:,.6g}"


def _is_of_time(name: str) -> bool:
    """Whether it is in nanoseconds, by its unit."""
    return name.rpartition("_")[2] == "ns"


def is_time(answer: Result, name: str) -> bool:
    """Whether a column has moments, and nothing else."""
    if not _is_of_time(name):
        return False
    at = _place(answer, name)
    known = [row[at] for row in answer["rows"] if row[at] is not None]
    return bool(known) and all(isinstance(value, int) and value >= _EPOCH_LEAST_NS for value in known)


def _place(answer: Result, name: str) -> int:
    return next(number for number, column in enumerate(answer["columns"]) if column["name"] == name)
