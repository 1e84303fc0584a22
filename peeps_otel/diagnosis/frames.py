# SPDX-License-Identifier: Apache-2.0
"""Which frame of a stack is the program's own: the line that a person wants to open."""

from __future__ import annotations

import re

from ..model import Frame, Node

# The graph may come from another machine: told by the shape of the path, not by this interpreter's folders.
_LIBRARY = re.compile(
    r"(^<)|([/\\](site|dist)-packages[/\\])|([/\\]lib(64)?[/\\]python3(\.\d+)?[/\\])"
    r"|(^lib[/\\]python3)|([/\\]Lib[/\\](asyncio|concurrent|threading\.py|queue\.py|selectors\.py|socket\.py))"
)


def is_library(file: str) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    return _LIBRARY.search(file) is not None


def own_frame(node: Node) -> Frame | None:
    """The innermost frame of the program itself; the innermost of all where there is none of it."""
    for frame in reversed(node.stack):
        if not is_library(frame.file):
            return frame
    return node.stack[-1] if node.stack else None


def place(node: Node) -> str:
    """`path:line` where the node is now, as far as known: of its wait, of its stack, or where it was made."""
    if node.wait is not None and node.wait.source:
        return node.wait.source
    frame = own_frame(node)
    if frame is not None:
        return frame.file if frame.line is None else f"{frame.file}:{frame.line}"
    return node.source
