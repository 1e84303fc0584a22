# SPDX-License-Identifier: Apache-2.0
"""Stacks to read from the top: the program's own innermost frame first, library frames folded away."""

from __future__ import annotations

from dataclasses import dataclass

from ..api import Frame, Node


@dataclass(frozen=True)
class Line:
    function: str
    place: str
    marked: bool


@dataclass(frozen=True)
class Stack:
    """`open_at` is the line a person should open, `path:line`, or the library it is in. Both lists: innermost first."""

    open_at: str
    own: list[Line]
    library: list[Line]


def place(frame: Frame) -> str:
    return frame["file"] if frame["line"] is None else f"{frame['file']}:{frame['line']}"


def of_node(node: Node) -> Stack:
    frames = list(reversed(node.get("stack") or []))
    wait = node.get("wait")
    source = wait["source"] if wait else ""
    own = [f for f in frames if f.get("own") is not False]
    library = [f for f in frames if f.get("own") is False]
    marked = next((i for i, f in enumerate(own) if source and place(f) == source), 0)
    if not own:  # nothing of the program's own is in it: then the library frames are all there is to read
        return Stack(source or node["source"], [Line(f["function"], place(f), False) for f in library], [])
    return Stack(
        open_at=place(own[marked]),
        own=[Line(f["function"], place(f), i == marked) for i, f in enumerate(own)],
        library=[Line(f["function"], place(f), False) for f in library],
    )
