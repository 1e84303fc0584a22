# SPDX-License-Identifier: Apache-2.0
"""Who waits for a request: the task or thread that began its span, for as long as it waits for nothing nearer.

The wait itself leads outside, to a socket or to a future that anybody may complete. That it is for this request follows
from the span: whoever began it has not ended it.
"""

from __future__ import annotations

from dataclasses import replace

from ..model import Confidence, Edge, EdgeKind, Node, NodeKind, Providers, Wait, own_line
from ..model.operations import operation as operation_of
from ..probes.probe import Observation

OPERATION = "request"
_OUTSIDE = frozenset({NodeKind.IO, NodeKind.CONNECTION, NodeKind.CUSTOM})

_STEPS_MOST = (1 << 31) - 1
_How = tuple[str, str, int | None, int | None]
_Entry = tuple[Node, tuple[Edge, ...], _How, Node, tuple[Edge, ...]]


class Waiters:
    """For the watcher thread only. What has not changed since the last look is the same object as then: the assembler
    tells changes by identity."""

    def __init__(self) -> None:
        self._before: dict[str, _Entry] = {}
        self._now: dict[str, _Entry] = {}
        self.over: dict[str, str] = {}
        """At this look, by request: the connection at which its waiter stands."""

    def lead(
        self,
        observation: Observation,
        waiter: str,
        target: Node,
        operation: str = OPERATION,
        deadline_ns: int | None = None,
        since_ns: int | None = None,
    ) -> bool:
        """Lets `waiter` need `target` in place of what its wait leads to outside. False where it waits for nothing, or
        for something of the program. `operation`: in which it waits; `deadline_ns`: when a timer ends it;
        `since_ns`: since when, known from elsewhere: whatever else it does in between is no progress."""
        node, edges = observation.nodes.get(waiter), observation.edges.get(waiter, ())
        known = since_ns is not None and node is not None and node.wait is None
        if node is None or not (known or _leads_outside(observation, node, edges, target)):
            return False
        how = (target.id, operation, deadline_ns, since_ns)
        at = [edge.dst for edge in edges if edge.kind is EdgeKind.NEEDS]
        where = observation.nodes.get(at[0]) if len(at) == 1 else None
        if where is not None and where.kind is NodeKind.IO:
            self.over[target.id] = where.id
        before = self._before.get(waiter)
        if before is not None and before[0] is node and before[1] == edges and before[2] == how:
            entry = (node, edges, how, before[3], before[4])
        else:
            made = _waiting(node, target, operation, deadline_ns)
            if since_ns is not None and made.wait is not None:
                wait = replace(made.wait, since_ns=since_ns)
                made = replace(made, state="waiting", wait=wait, steps=since_ns & _STEPS_MOST)
            wait = made.wait
            assert wait is not None
            need = Edge(EdgeKind.NEEDS, waiter, target.id, wait.since_ns, wait.source or None, Confidence.INFERRED)
            others = tuple(edge for edge in edges if edge.kind is not EdgeKind.NEEDS)
            entry = (node, edges, how, made, (need, *others))
        self._now[waiter] = entry
        observation.nodes[waiter], observation.edges[waiter] = entry[3], entry[4]
        return True

    def lead_within(self, observation: Observation, waiter: str, target: Node) -> bool:
        """Where `waiter` is in a library and waits for a task of that library alone, as for the one in which `grpc.aio`
        begins a stream: lets that task need `target`."""
        inner = _library_task(observation, waiter)
        return inner is not None and self.lead(observation, inner, target)

    def done(self) -> None:
        """After all requests of a look."""
        self._before, self._now, self.over = self._now, {}, {}


def _library_task(observation: Observation, waiter: str) -> str | None:
    """The one task that `waiter` waits for, where all that it runs is of the library in which it is waited for."""
    node = observation.nodes.get(waiter)
    needed = [edge.dst for edge in observation.edges.get(waiter, ()) if edge.kind is EdgeKind.NEEDS]
    inner = observation.nodes.get(needed[0]) if len(needed) == 1 else None
    if node is None or not node.stack or inner is None or inner.kind is not NodeKind.TASK or not inner.stack:
        return None
    library = node.stack[-1].library
    return inner.id if library and all(frame.library == library for frame in inner.stack) else None


def _leads_outside(observation: Observation, node: Node, edges: tuple[Edge, ...], target: Node) -> bool:
    wait = node.wait
    if wait is None:
        return node.kind is NodeKind.THREAD and node.state == "blocked"
    known = operation_of(wait.operation)
    if wait.needs != 1 or known.sleeps or known.idle or known.several:
        return False
    targets = [observation.nodes.get(edge.dst) for edge in edges if edge.kind is EdgeKind.NEEDS]
    if not targets:
        return known.kind in (None, NodeKind.IO)
    return all(one is not None and (_is_outside(one) or _is_nearer(target, one)) for one in targets)


def _is_outside(target: Node) -> bool:
    return target.kind in _OUTSIDE or (target.kind is NodeKind.FUTURE and target.providers is Providers.OPEN)


def _is_nearer(target: Node, before: Node) -> bool:
    """A request is waited for by means of what is within it. Of one request more may be said than before."""
    return before.kind is NodeKind.REQUEST and (target.kind is not NodeKind.REQUEST or target.id == before.id)


def _waiting(node: Node, target: Node, operation: str, deadline_ns: int | None) -> Node:
    """A thread in a call of C is seen to be blocked, and by its open span for what."""
    wait = node.wait
    if wait is None:
        source = own_line.place(node.stack)
        wait = Wait(operation, target.created_at, source, deadline_ns=deadline_ns)
        return replace(node, state="waiting", wait=wait, steps=node.steps or 0)
    ends = [one for one in (wait.deadline_ns, deadline_ns) if one is not None]
    if operation == OPERATION:
        operation = wait.operation
    if wait.operation == operation and wait.deadline_ns == min(ends, default=None):
        return node
    return replace(node, wait=replace(wait, operation=operation, deadline_ns=min(ends, default=None)))
