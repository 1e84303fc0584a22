# SPDX-License-Identifier: Apache-2.0
"""Stacks to read from the top: the program's own innermost frame first, library frames folded away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..api import Frame, Node, SourceText
from .source_rows import line_text


@dataclass(frozen=True)
class Line:
    """`text`: of the line itself; empty where it is not known."""

    function: str
    place: str
    marked: bool
    text: str = ""


@dataclass(frozen=True)
class Stack:
    """`open_at` is the line a person should open, `path:line`, or the library it is in. Both lists: innermost first."""

    open_at: str
    own: list[Line]
    library: list[Line]


def place(frame: Frame) -> str:
    """`path:line` as the program has it."""
    return frame["file"] if frame["line"] is None else f"{frame['file']}:{frame['line']}"


def of_node(node: Node, sources: Mapping[str, SourceText] | None = None) -> Stack:
    """`sources`: the texts of lines, by place."""
    frames = list(reversed(node.get("stack") or []))
    wait = node.get("wait")
    source = wait["source"] if wait else ""
    own = [f for f in frames if f.get("own") is not False]
    library = [f for f in frames if f.get("own") is False]
    marked = next((i for i, f in enumerate(own) if source and place(f) == source), 0)
    if not own:  # nothing of the program's own is in it: then the library frames are all there is to read
        open_at = wait["short"] if wait else node["short"]
        return Stack(open_at, [Line(f["function"], f["short"], False) for f in library], [])
    texts = [line_text(place(f), sources or {}) for f in own]
    if wait and place(own[marked]) == source:
        texts[marked] = texts[marked] or wait.get("text", "").strip()
    return Stack(
        open_at=own[marked]["short"],
        own=[Line(f["function"], f["short"], i == marked, texts[i]) for i, f in enumerate(own)],
        library=[Line(f["function"], f["short"], False) for f in library],
    )
