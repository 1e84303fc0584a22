# SPDX-License-Identifier: Apache-2.0
"""Which part of the live graph a request asks for. Pure functions over a view."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from peeps_otel.model import Edge, Node
from peeps_otel.model.jsonable import node_to_json

from ..graph.live import View

_NEVER = 1 << 63


def node_json(node: Node, view: View) -> dict[str, Any]:
    return node_to_json(node) | {"process": view.owner.get(node.id)}


def neighbourhood(view: View, focus: str, depth: int) -> set[str]:
    """The ids within `depth` edges of `focus`, whatever their direction."""
    beside: defaultdict[str, list[str]] = defaultdict(list)
    for outgoing in view.out.values():
        for edge in outgoing:
            beside[edge.src].append(edge.dst)
            beside[edge.dst].append(edge.src)
    found, border = {focus}, [focus]
    for _ in range(depth):
        border = list({other for node in border for other in beside[node]} - found)
        found.update(border)
    return found


def ranked(nodes: Collection[Node], core: Collection[str]) -> list[Node]:
    """Waiting members of a finding's core first, then its resources, then the longest waits, then the rest."""

    def rank(node: Node) -> tuple[int, int]:
        since = _NEVER if node.wait is None else node.wait.since_ns
        return (0 if node.id in core and node.wait is not None else 1 if node.id in core else 2, since)

    return sorted(nodes, key=rank)


def edges_within(view: View, nodes: Collection[str]) -> list[Edge]:
    """The edges between nodes of the answer."""
    return [edge for node in nodes for edge in view.out.get(node, ()) if edge.dst in nodes]


def edges_into(view: View, node: str) -> list[Edge]:
    return [edge for outgoing in view.out.values() for edge in outgoing if edge.dst == node]


def longest_wait(view: View, nodes: Collection[Node], now_ns: int) -> tuple[dict[str, Any], int] | None:
    """The task or thread that has waited longest, and its age."""
    best: Node | None = None
    for node in nodes:
        if node.wait is not None and (best is None or best.wait is None or node.wait.since_ns < best.wait.since_ns):
            best = node
    if best is None or best.wait is None:
        return None
    return node_json(best, view), max(now_ns - best.wait.since_ns, 0)
