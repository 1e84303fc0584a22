# SPDX-License-Identifier: Apache-2.0
"""Locks and permits: free ones that nobody is woken for, and held ones whose holder takes its time elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import Finding, FindingKind, Level, Node, NodeKind, finding_id
from .. import evidence, wording
from ..frames import place
from ..wait_graph import WAITERS
from .context import RuleContext

_OUTSIDE = frozenset({NodeKind.IO, NodeKind.TIMER, NodeKind.COMMAND, NodeKind.REQUEST, NodeKind.CONNECTION})


class LostWakeup:
    """What is waited for is there, at two looks, and the one who has waited longest is still the same.

    Its wake-up was lost: a known failure of primitives whose waiters are cancelled in an unlucky moment.
    """

    kind = FindingKind.LOST_WAKEUP
    level = Level.LIKELY
    when = (
        "A lock is free, a permit or an item is there, or an event is set, and for 2 s the same task waits for it "
        "on a loop that comes round"
    )
    advice = "The waker forgot this waiter: look for a cancellation in `acquire()` or a hand-made release"

    def __init__(self) -> None:
        self._first_seen: dict[str, tuple[str, int]] = {}

    def find(self, context: RuleContext) -> Iterable[Finding]:
        seen: dict[str, tuple[str, int]] = {}
        for kind in (NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.EVENT, NodeKind.RX, NodeKind.TX):
            for resource in context.of(kind):
                waiter = context.graph.oldest_waiter(resource.id) if self._is_there(context, resource) else None
                if waiter is None or waiter not in context.graph.settled or self._loop_is_busy(context, waiter):
                    continue
                if context.graph.nodes[waiter].kind is not NodeKind.TASK:
                    continue  # a thread is woken by the system, but may find the lock taken again each time
                before = self._first_seen.get(resource.id)
                seen[resource.id] = before if before is not None and before[0] == waiter else (waiter, context.now_ns)
                if context.now_ns - seen[resource.id][1] >= context.thresholds.lost_wakeup_ns and not (
                    {resource.id, waiter} & context.explained
                ):
                    yield self._finding(context, resource, waiter)
        self._first_seen = seen

    def _is_there(self, context: RuleContext, resource: Node) -> bool:
        match resource.kind:
            case NodeKind.LOCK:
                return resource.attributes.get(semconv.LOCK_LOCKED) is False
            case NodeKind.SEMAPHORE:
                return (context.number(resource, semconv.SEMAPHORE_AVAILABLE) or 0) > 0
            case NodeKind.EVENT:
                return resource.attributes.get(semconv.EVENT_IS_SET) is True
            case NodeKind.RX:
                length = context.number(resource, semconv.CHANNEL_LENGTH)
                return bool(length) and self._operation(context, resource) == "queue.get"
            case _:
                length = context.number(resource, semconv.CHANNEL_LENGTH)
                capacity = context.number(resource, semconv.CHANNEL_CAPACITY)
                putting = self._operation(context, resource) == "queue.put"
                return capacity is not None and length is not None and length < capacity and putting

    def _operation(self, context: RuleContext, resource: Node) -> str:
        waiter = context.graph.oldest_waiter(resource.id)
        return "" if waiter is None else context.graph.wait_of(waiter).operation

    def _loop_is_busy(self, context: RuleContext, waiter: str) -> bool:
        node = context.graph.nodes.get(context.graph.thread_of(waiter) or "")
        return node is not None and (node.wait is not None or semconv.LOOP_STALLED_SINCE in node.attributes)

    def _finding(self, context: RuleContext, resource: Node, waiter: str) -> Finding:
        waiting = [w for w in context.graph.waiters.get(resource.id, ()) if w != waiter and w in context.graph.nodes]
        blocked = evidence.tail(context.graph, waiting)
        context.explained.update((resource.id, waiter, *blocked))
        state = {
            NodeKind.LOCK: "nobody holds it",
            NodeKind.SEMAPHORE: "a permit is free",
            NodeKind.EVENT: "it is set",
            NodeKind.RX: "there is an item in it",
        }.get(resource.kind, "there is room in it")
        where = place(context.graph.nodes[waiter])
        return Finding(
            id=finding_id(self.kind, [resource.id]),
            kind=self.kind,
            level=self.level,
            title=f"{wording.label(context.graph.nodes[waiter])} "
            f"{wording.waits_for(context.graph, waiter, resource.id)}, although {state}",
            since_ns=context.graph.wait_of(waiter).since_ns,
            core=[waiter, resource.id],
            blocked=blocked,
            evidence=[evidence.link(context.graph, waiter, resource.id, None)],
            advice=f"{self.advice}.",
            blocked_sites=evidence.sites(context.graph, blocked),
            look_at=where,
        )


class HeldAcrossWait:
    """Others wait for a lock or a permit while each holder is in a wait that will end, but takes long."""

    kind = FindingKind.HELD_ACROSS_WAIT
    level = Level.SLOW
    when = (
        "Somebody has waited 2 s for a lock or permit, and every holder has held it for as long and is itself in a "
        "sleep, on a socket, or in another wait that the program does not end itself"
    )
    advice = "Do the slow part before taking the lock, or after giving it back"

    def find(self, context: RuleContext) -> Iterable[Finding]:
        for kind in (NodeKind.LOCK, NodeKind.SEMAPHORE):
            for resource in context.of(kind):
                if resource.id in context.explained or resource.id not in context.graph.waiters:
                    continue
                holders = [h for h in context.graph.holders.get(resource.id, ()) if h in context.graph.nodes]
                if not holders or context.graph.nodes[holders[0]].wait is None:
                    continue  # as with most of many thousand
                if not all(self._slow(context, resource.id, holder) for holder in holders):
                    continue
                waiter = context.graph.oldest_waiter(resource.id)
                if waiter is not None and waiter in context.graph.settled and context.is_long(waiter):
                    yield self._finding(context, resource, waiter, holders)

    def _slow(self, context: RuleContext, resource: str, holder: str) -> bool:
        """Whether it has had the thing for long, and waits for nothing of this program."""
        if context.graph.nodes[holder].wait is None:
            return False
        held = context.graph.held_by(resource, holder)
        if held is None or held.since_ns is None:
            return False
        if context.now_ns - held.since_ns < context.thresholds.held_ns:
            return False
        targets = (context.graph.nodes.get(target) for target in context.graph.targets.get(holder, ()))
        return all(target is None or target.kind in _OUTSIDE for target in targets)

    def _finding(self, context: RuleContext, resource: Node, waiter: str, holders: list[str]) -> Finding:
        graph = context.graph
        links = [evidence.link(graph, waiter, resource.id, holders[0])]
        blocked = evidence.tail(graph, {w for w in graph.waiters[resource.id] if w in graph.nodes} - {waiter})
        where = place(graph.nodes[holders[0]])
        name = wording.label(graph.nodes[holders[0]])
        more = "" if len(holders) == 1 else f" (and {len(holders) - 1} more)"
        return Finding(
            id=finding_id(self.kind, [resource.id]),
            kind=self.kind,
            level=self.level,
            title=f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, resource.id)}, "
            f"held by {name}{more}, which {wording.doing(graph, holders[0])}",
            since_ns=graph.wait_of(waiter).since_ns,
            core=[waiter, resource.id, *(h for h in holders[:20] if graph.nodes[h].kind in WAITERS)],
            blocked=blocked,
            evidence=links,
            advice=f"{self.advice}.",
            blocked_sites=evidence.sites(graph, blocked),
            look_at=where,
        )
