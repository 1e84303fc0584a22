# SPDX-License-Identifier: Apache-2.0
"""Colours and columns of the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "1;31", "yellow": "33", "green": "32", "cyan": "36"}


class Style:
    """`style("red", "text")` where the output is a terminal, plain text elsewhere and under NO_COLOR."""

    def __init__(self, stream: TextIO | None = None, environment: Mapping[str, str] | None = None) -> None:
        output: TextIO = sys.stdout if stream is None else stream
        variables = os.environ if environment is None else environment
        self._on = output.isatty() and not variables.get("NO_COLOR") and variables.get("TERM") != "dumb"

    def __call__(self, name: str, text: str) -> str:
        return f"\033[{_CODES[name]}m{text}\033[0m" if self._on else text


PLAIN = Style(environment={"NO_COLOR": "1"})
"""For what is no terminal."""


def printable(text: str) -> str:
    """Control characters made harmless: names come from the watched program, the terminal obeys escapes."""
    return "".join(c if c.isprintable() else " " if c in "\t\n" else "�" for c in text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], longest: int = 60) -> list[str]:
    """Left-aligned columns; a cell is cut at `longest` characters, but never in the last column."""
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    for row in cells:
        row[:-1] = [cell if len(cell) <= longest else cell[: longest - 1] + "…" for cell in row[:-1]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
