# SPDX-License-Identifier: Apache-2.0
"""What a node waits for, and that in turn, to the end. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from peeps_otel.model import Edge, EdgeKind

from .view import View

_ONWARD = {EdgeKind.NEEDS, EdgeKind.HELD_BY, EdgeKind.RPC_LINK, EdgeKind.HANDLED_BY, EdgeKind.COULD_END}


@dataclass(frozen=True, slots=True)
class Chain:
    """`edges` in the order they are reached; `leaves`: where it ends; `ring`: some of them lead in a circle;
    `truncated`: there is more."""

    edges: list[Edge]
    leaves: list[str]
    ring: bool
    truncated: bool


def chain(view: View, start: str, most: int) -> Chain:
    """At most `most` edges, the nearest first."""
    edges: list[Edge] = []
    leaves: list[str] = []
    seen, border = {start}, [start]
    while border:
        following: list[str] = []
        for node in border:
            onward = [edge for edge in view.out.get(node, ()) if edge.kind in _ONWARD]
            if not onward:
                leaves.append(node)
            for edge in onward:
                if len(edges) >= most:
                    return Chain(edges, leaves, _has_ring(edges), True)
                edges.append(edge)
                if edge.dst not in seen:
                    seen.add(edge.dst)
                    following.append(edge.dst)
        border = following
    return Chain(edges, leaves, _has_ring(edges), False)


def _has_ring(edges: list[Edge]) -> bool:
    """Whether something is left once everything that leads nowhere has been taken away, again and again."""
    left: Counter[str] = Counter(edge.src for edge in edges)
    into: defaultdict[str, list[str]] = defaultdict(list)
    for edge in edges:
        into[edge.dst].append(edge.src)
    ends = [node for node in into if not left[node]]
    while ends:
        for src in into[ends.pop()]:
            left[src] -= 1
            if not left[src]:
                ends.append(src)
    return any(left.values())
