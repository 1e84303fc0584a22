# SPDX-License-Identifier: Apache-2.0
"""Tables as wide as the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from peeps_otel.report.style import printable

_LONGEST = 60
_LEAST = 8
_ENOUGH = 12
_LAST_LEAST = 16


def terminal_width() -> int | None:
    """Of the terminal that is written to; None where it is none, or does not say."""
    if not sys.stdout.isatty():
        return None
    try:
        return int(os.environ.get("COLUMNS", "")) or None
    except ValueError:
        pass
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except OSError:
        return None


def fitted(rows: Sequence[Sequence[str]], width: int | None, cut_left: int = -1) -> list[str]:
    """Left-aligned columns, a header first. With a `width`, the widest are cut until a line fits into it, `cut_left` at
    its beginning: a path is known by its end. Without one, a cell is cut at 60 characters, but never the last two."""
    cells = [[printable(cell) for cell in row] for row in rows]
    count = len(cells[0])
    widths = [max(len(row[column]) for row in cells) for column in range(count)]
    if width is None:
        for column in range(count):
            if column not in (cut_left, count - 1):
                widths[column] = min(widths[column], _LONGEST)
    else:
        _shrink(widths, width - 2 * (count - 1), cut_left)
    return ["  ".join(_cell(row[c], widths[c], c == cut_left) for c in range(count)).rstrip() for row in cells]


def _shrink(widths: list[int], room: int, spared: int) -> None:
    """Takes from the last column first, then from the widest but `spared`, then from all, down to what can be read."""
    last = len(widths) - 1
    widths[last] = max(min(widths[last], _LAST_LEAST), min(widths[last], room - sum(widths[:last])))
    others = [column for column in range(len(widths)) if column != spared]
    for columns, least in ((others, _ENOUGH), (range(len(widths)), _LEAST)):
        while sum(widths) > room:
            widest = max(columns, key=lambda column: widths[column])
            if widths[widest] <= least:
                break
            widths[widest] -= 1


def _cell(text: str, width: int, left: bool) -> str:
    if len(text) <= width:
        return text.ljust(width)
    return f"…{text[len(text) - width + 1 :]}" if left else f"{text[: width - 1]}…"
