# SPDX-License-Identifier: Apache-2.0
"""Who waits, a line each: for a moment at which nothing is known to be stuck, and yet somebody ran out of patience."""

from __future__ import annotations

from collections.abc import Iterable

from ..diagnosis.wording import label
from ..model import EdgeKind, Node, NodeKind, own_line
from .in_words import is_telemetry
from .sentences import at
from .shown import Shown
from .style import printable

_LINES_MOST = 20


def waits_text(shown: Shown, nodes: Iterable[Node]) -> list[str]:
    """`worker waits for Lock db (held by main) for 3 s at app.py:9`, who has waited longest first; those that rest in
    the code of a library last."""
    waiting = [
        node
        for node in nodes
        if node.kind in (NodeKind.TASK, NodeKind.THREAD)
        and node.wait is not None
        and node.state != "idle"
        and not is_telemetry(node)
    ]
    ranked = sorted(waiting, key=_rank)
    lines = [_line(shown, node) for node in ranked[:_LINES_MOST]]
    rest = len(ranked) - len(lines)
    return [*lines, f"and {rest:,} more wait"] if rest else lines


def _rank(node: Node) -> tuple[bool, int]:
    assert node.wait is not None
    return not own_line.is_line(node.wait.source), node.wait.since_ns


def _line(shown: Shown, node: Node) -> str:
    told = shown.node(node)
    wait = told["wait"]
    view = shown.view
    targets = [edge.dst for edge in view.out.get(node.id, ()) if edge.kind is EdgeKind.NEEDS]
    known = [view.nodes[one] for one in targets if one in view.nodes]
    thing = f"for {label(known[0])}" if len(known) == 1 else f"for {len(known)} others" if known else ""
    holders = [edge.dst for one in known for edge in view.out.get(one.id, ()) if edge.kind is EdgeKind.HELD_BY]
    held = f" (held by {label(view.nodes[holders[0]])})" if holders and holders[0] in view.nodes else ""
    what = f"{thing}{held}" if thing else f"in {wait['operation']}"
    return printable(f"{told['label']} has waited {what}{at(wait)}, {wait['age']}")
