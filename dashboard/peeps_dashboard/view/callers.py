# SPDX-License-Identifier: Apache-2.0
"""From where the program came to a line: often that is the line to mend, and the one it stands at is a helper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..api import Frame, SourceText
from .source_rows import line_text
from .stacks import place


class Caller(NamedTuple):
    """A line of the program's own, and its text."""

    place: str
    shown: str
    function: str
    line: str


def of_place(frames: Sequence[Frame] | None, at: str, sources: Mapping[str, SourceText], most: int) -> Sequence[Caller]:
    """At most `most`, the nearest first; those of which the text is known. `frames`: outermost first."""
    known = list(frames or ())
    here = next((number for number in range(len(known) - 1, -1, -1) if place(known[number]) == at), 0)
    own = [frame for frame in reversed(known[:here]) if frame.get("own") is not False and frame["line"] is not None]
    told = (Caller(place(f), f["short"], f["function"], line_text(place(f), sources)) for f in own[:most])
    return tuple(one for one in told if one.line)
