# SPDX-License-Identifier: Apache-2.0
"""Who waits for a request: the task or thread that began its span, for as long as it waits for nothing nearer.

The wait itself leads outside, to a socket or to a future that anybody may complete. That it is for this request follows
from the span: whoever began it has not ended it.
"""

from __future__ import annotations

from dataclasses import replace

from ..model import Confidence, Edge, EdgeKind, Node, NodeKind, Providers, Wait, own_line
from ..model.operations import operation
from ..probes.probe import Observation

OPERATION = "request"
_OUTSIDE = frozenset({NodeKind.IO, NodeKind.CONNECTION, NodeKind.CUSTOM})

_Entry = tuple[Node, tuple[Edge, ...], str, Node, tuple[Edge, ...]]


class Waiters:
    """For the watcher thread only. What has not changed since the last look is the same object as then: the assembler
    tells changes by identity."""

    def __init__(self) -> None:
        self._before: dict[str, _Entry] = {}
        self._now: dict[str, _Entry] = {}

    def lead(self, observation: Observation, waiter: str, request: Node) -> bool:
        """Lets `waiter` need `request` in place of what its wait leads to outside. False where it waits for nothing, or
        for something of the program."""
        node, edges = observation.nodes.get(waiter), observation.edges.get(waiter, ())
        if node is None or not _leads_outside(observation, node, edges):
            return False
        before = self._before.get(waiter)
        if before is not None and before[0] is node and before[1] == edges and before[2] == request.id:
            entry = (node, edges, request.id, before[3], before[4])
        else:
            made = _waiting(node, request)
            wait = made.wait
            assert wait is not None
            need = Edge(EdgeKind.NEEDS, waiter, request.id, wait.since_ns, wait.source or None, Confidence.INFERRED)
            others = tuple(edge for edge in edges if edge.kind is not EdgeKind.NEEDS)
            entry = (node, edges, request.id, made, (need, *others))
        self._now[waiter] = entry
        observation.nodes[waiter], observation.edges[waiter] = entry[3], entry[4]
        return True

    def done(self) -> None:
        """After all requests of a look."""
        self._before, self._now = self._now, {}


def _leads_outside(observation: Observation, node: Node, edges: tuple[Edge, ...]) -> bool:
    wait = node.wait
    if wait is None:
        return node.kind is NodeKind.THREAD and node.state == "blocked"
    known = operation(wait.operation)
    if wait.needs != 1 or known.sleeps or known.idle or known.several:
        return False
    targets = [observation.nodes.get(edge.dst) for edge in edges if edge.kind is EdgeKind.NEEDS]
    if not targets:
        return known.kind in (None, NodeKind.IO)
    return all(target is not None and _is_outside(target) for target in targets)


def _is_outside(target: Node) -> bool:
    return target.kind in _OUTSIDE or (target.kind is NodeKind.FUTURE and target.providers is Providers.OPEN)


def _waiting(node: Node, request: Node) -> Node:
    """A thread in a call of C is seen to be blocked, and by its open span for what."""
    if node.wait is not None:
        return node
    source = own_line.place(node.stack)
    return replace(node, state="waiting", wait=Wait(OPERATION, request.created_at, source), steps=node.steps or 0)
