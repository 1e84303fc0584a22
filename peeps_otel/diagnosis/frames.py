# SPDX-License-Identifier: Apache-2.0
"""Where a node is: the line that a person wants to open, and what tells one place of waiting from another."""

from __future__ import annotations

from ..model import Frame, Node, Wait, own_line


def own_frame(node: Node) -> Frame | None:
    """The innermost frame of the program itself; None where there is none."""
    return own_line.innermost(node.stack)


def place(node: Node) -> str:
    """The place (`own_line`) where the node is now, as far as known: of its wait, its stack, or where it was made."""
    if node.wait is not None and node.wait.source:
        return node.wait.source
    return own_line.place(node.stack) or node.source


def site(node: Node, wait: Wait) -> str:
    """The same for all waits at one line. Waits that have no own line are told apart by the line of the library."""
    if own_line.is_line(wait.source):
        return wait.source
    frames = [frame for frame in node.stack if frame.library != own_line.PYTHON] or node.stack
    return own_line.source(frames[-1]) if frames else wait.source
