# SPDX-License-Identifier: Apache-2.0
"""Text as wide as the terminal: folded between words, under its own beginning. Elsewhere a line stays one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .columns import terminal_width

_STYLE = re.compile(r"\033\[[0-9;]*m")
_BEGINNING = re.compile(r"\s*(?:->)?\s*(?:\d+ \| )?\s*")
_NARROWEST = 30


def on_terminal(lines: Iterable[str]) -> str:
    """The text to print, folded where it goes to a terminal."""
    return "\n".join(folded(lines, terminal_width()))


def folded(lines: Iterable[str], width: int | None) -> list[str]:
    """None of them wider than `width`, but for a word that alone is; None: as they are. Colours take no room."""
    if width is None or width < _NARROWEST:
        return list(lines)
    return [part for line in lines for part in _folded(line, width)]


def _folded(line: str, width: int) -> list[str]:
    if _shown(line) <= width:
        return [line]
    beginning = _BEGINNING.match(_STYLE.sub("", line))
    indent = " " * min(beginning.end() if beginning else 0, width // 2)
    parts: list[str] = []
    words = line.split(" ")
    part = words[0]
    for word in words[1:]:
        # Spaces at the beginning are words of no length: they stay.
        if part.strip() and _shown(part) + 1 + _shown(word) > width:
            parts.append(part)
            part = indent + word
        else:
            part = f"{part} {word}"
    return [*parts, part]


def _shown(text: str) -> int:
    return len(_STYLE.sub("", text))
