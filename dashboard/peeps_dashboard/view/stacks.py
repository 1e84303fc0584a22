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
    """`path:line` as the program has it."""
    return frame["file"] if frame["line"] is None else f"{frame['file']}:{frame['line']}"


def of_node(node: Node) -> Stack:
    frames = list(reversed(node.get("stack") or []))
    wait = node.get("wait")
    source = wait["source"] if wait else ""
    own = [f for f in frames if f.get("own") is not False]
    library = [f for f in frames if f.get("own") is False]
    marked = next((i for i, f in enumerate(own) if source and place(f) == source), 0)
    if not own:  # nothing of the program's own is in it: then the library frames are all there is to read
        open_at = wait["short"] if wait else node["short"]
        return Stack(open_at, [Line(f["function"], f["short"], False) for f in library], [])
    return Stack(
        open_at=own[marked]["short"],
        own=[Line(f["function"], f["short"], i == marked) for i, f in enumerate(own)],
        library=[Line(f["function"], f["short"], False) for f in library],
    )
