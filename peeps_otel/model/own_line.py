# SPDX-License-Identifier: Apache-2.0
"""The line of a stack that a person wants to open: the innermost that is the program's own.

A place is a text: `path:line`, or where a wait has no own line `in aiohttp, started at path:line`, the second part as
far as it is known. Whose a frame is, it says itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from .graph import Frame

PYTHON = "Python"
"""The `library` of the frames of the standard library."""
UNKNOWN = "unknown:0"
"""The place of what was made where no line is known, as by compiled code."""
_IN, _STARTED = "in ", ", started at "
_GROUPS = frozenset({"asyncio", "concurrent", "logging", "multiprocessing"})
_BACKGROUND = frozenset({"threading.py"})


def innermost(stack: Sequence[Frame]) -> Frame | None:
    """The innermost own frame (or of which nobody told whose it is); None where there is none."""
    return next((frame for frame in reversed(stack) if not frame.library), None)


def source(frame: Frame | None) -> str:
    """`path:line`, or the path alone where the line was not resolved."""
    return "" if frame is None else _source(frame)


@lru_cache(maxsize=4096)  # one text for all that stand at one line
def _source(frame: Frame) -> str:
    return frame.file if frame.line is None else f"{frame.file}:{frame.line}"


def place(stack: Sequence[Frame], started: str = "") -> str:
    """The place of a stack; empty where there is nothing to say. `started`: the own line where its task was created."""
    own = innermost(stack)
    if own is not None:
        return source(own)
    if not stack:
        return started
    return f"{_IN}{library_of(stack)}" + (f"{_STARTED}{started}" if started else "")


def library_of(stack: Sequence[Frame]) -> str:
    """Which library a stack without own frames is in: that of the innermost frame that is not the standard library's;
    else which part of that."""
    return _library_of(tuple(stack))


@lru_cache(maxsize=1024)  # thousands stand in the same place
def _library_of(stack: tuple[Frame, ...]) -> str:
    for frame in reversed(stack):
        if frame.library and frame.library != PYTHON:
            return frame.library
    modules = [parts for frame in stack if (parts := re.split(r"[/\\]", frame.file)) and not frame.file.startswith("<")]
    outermost = next((parts for parts in modules if parts[-1] not in _BACKGROUND), modules[0] if modules else [PYTHON])
    return next((part for part in outermost[-3:-1] if part in _GROUPS), outermost[-1].removesuffix(".py"))


def is_line(place: str) -> bool:
    """Whether a place is a line of the program's own, not the name of a library, and known."""
    return bool(place) and place != UNKNOWN and not place.startswith(_IN)


def line_of(place: str) -> str:
    """The own line of a place: of the wait, else where it was started; empty where neither is known."""
    return place if is_line(place) else place.partition(_STARTED)[2]


def split(place: str) -> tuple[str, str]:
    """What stands before the own line of a place, and that line."""
    line = line_of(place)
    return place[: len(place) - len(line)], line
