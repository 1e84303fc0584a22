# SPDX-License-Identifier: Apache-2.0
"""Which threads do the same work: each of them may do what another one of them does not get to."""

from __future__ import annotations

from ...model import Node, NodeKind
from .context import RuleContext

_MAIN = "MainThread"


def workers_like(context: RuleContext, thread: Node) -> set[str]:
    """Those who might do the work of a thread in its place, and itself: the workers of its pool, or those that began
    at its line."""
    graph = context.graph
    for pool in graph.held_of(thread.id):
        held = graph.nodes.get(pool)
        if held is not None and held.kind is NodeKind.EXECUTOR:
            return {thread.id, *(one for one in graph.holders.get(pool, ()) if one in graph.nodes)}
    if thread.name == _MAIN:
        return {thread.id}
    return {thread.id, *(one.id for one in context.of(NodeKind.THREAD) if one.source == thread.source)}
