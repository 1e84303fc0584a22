# SPDX-License-Identifier: Apache-2.0
"""Stacks to read from the top: the application's innermost frame first, library frames folded away."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from ..api import Frame, Node

_LIBRARY = re.compile(
    r"(?:^|[/\\])(?:site-packages|dist-packages)[/\\]|[/\\]lib(?:64)?[/\\]python\d|^<frozen |[/\\]Lib[/\\]"
)
# A bare file name is taken as the program's own unless it is one of the waits of the standard library.
_STDLIB_FILES = frozenset({"threading.py", "queue.py", "selectors.py", "subprocess.py", "socket.py", "ssl.py"})


@dataclass(frozen=True)
class Line:
    function: str
    place: str
    marked: bool


@dataclass(frozen=True)
class Stack:
    """`open_at` is the line a person should open, `path:line`. Both lists: innermost first."""

    open_at: str
    own: list[Line]
    library: list[Line]


def is_library(file: str) -> bool:
    if _LIBRARY.search(file):
        return True
    if file.startswith(("/", "\\")) or file[1:3] in (":\\", ":/"):
        return False
    first, slash, _ = file.replace("\\", "/").partition("/")
    return first in sys.stdlib_module_names if slash else file in _STDLIB_FILES


def place(frame: Frame) -> str:
    return frame["file"] if frame["line"] is None else f"{frame['file']}:{frame['line']}"


def of_node(node: Node) -> Stack:
    frames = list(reversed(node.get("stack") or []))
    wait = node.get("wait")
    source = wait["source"] if wait else ""
    own = [f for f in frames if not is_library(f["file"])]
    library = [f for f in frames if is_library(f["file"])]
    if not own:  # nothing of the application's own is in it: then the library frames are all there is to read
        own, library = library, []
    marked = next((i for i, f in enumerate(own) if source and place(f) == source), 0)
    return Stack(
        open_at=place(own[marked]) if own else source or node["source"],
        own=[Line(f["function"], place(f), i == marked) for i, f in enumerate(own)],
        library=[Line(f["function"], place(f), False) for f in library],
    )
