# SPDX-License-Identifier: Apache-2.0
"""Things that are free, and that nobody is woken for."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind
from .. import evidence, wording
from ..frames import place
from .context import RuleContext
from .kept_readings import KeptReadings, Reading
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_TOLD_BY = {
    NodeKind.LOCK: semconv.LOCK_LOCKED,
    NodeKind.SEMAPHORE: semconv.SEMAPHORE_AVAILABLE,
    NodeKind.EVENT: semconv.EVENT_IS_SET,
    NodeKind.RX: semconv.CHANNEL_LENGTH,
    NodeKind.TX: semconv.CHANNEL_LENGTH,
}
_STATES = {
    NodeKind.LOCK: "nobody holds it",
    NodeKind.SEMAPHORE: "a permit is free",
    NodeKind.EVENT: "it is set",
    NodeKind.RX: "there is an item in it",
    NodeKind.TX: "there is room in it",
}


class LostWakeup(LookRule):
    """What is waited for is there, at two looks, and the one who has waited longest is still the same.

    Its wake-up was lost: a known failure of primitives whose waiters are cancelled in an unlucky moment.
    """

    name = "lost_wakeup"
    kind = FindingKind.LOST_WAKEUP
    levels = (Level.LIKELY,)
    when = (
        "A lock is free, a permit or an item is there, or an event is set, and for {free} the same task waits for it "
        "on a loop that comes round"
    )
    advice = "The waker forgot this waiter: look for a cancellation in `acquire()` or a hand-made release"
    explains = True
    marks = frozenset(_TOLD_BY.values())

    free = seconds(2, "how long a thing must have been free while somebody waits for it")

    def __init__(self, values: dict[str, int] | None = None) -> None:
        super().__init__(values)
        self._first_seen: dict[str, tuple[str, int]] = {}
        self._there = KeptReadings(self._read)

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        seen: dict[str, tuple[str, int]] = {}
        free: list[tuple[int, str, Node]] = []
        for resource in self._there.look(context, self._waited_for(context)):
            waiter = graph.oldest_waiter(resource.id)
            if waiter is None or waiter not in graph.settled or _loop_is_busy(context, waiter):
                continue
            if graph.nodes[waiter].kind is not NodeKind.TASK:
                continue  # a thread is woken by the system, but may find the lock taken again each time
            before = self._first_seen.get(resource.id)
            seen[resource.id] = before if before is not None and before[0] == waiter else (waiter, context.now_ns)
            if context.now_ns - seen[resource.id][1] >= self.free:
                free.append((graph.wait_of(waiter).since_ns, waiter, resource))
        self._first_seen = seen
        # One explains the next: they come in an order that does not depend on that of reading.
        for _, waiter, resource in sorted(free, key=lambda one: (one[0], one[2].id)):
            if {resource.id, waiter} & context.explained:
                continue
            waiting = [w for w in graph.waiters.get(resource.id, ()) if w != waiter and w in graph.nodes]
            yield Candidate(
                kind=self.kind,
                level=self.level,
                since_ns=graph.wait_of(waiter).since_ns,
                core=[waiter, resource.id],
                about=[resource.id],
                tell=lambda r=resource, w=waiter, others=waiting: self._tell(context, r, w, others),
                explains=graph.waiting(waiting),
            )

    @staticmethod
    def _waited_for(context: RuleContext) -> Iterable[str]:
        for mark in dict.fromkeys(_TOLD_BY.values()):
            for resource in context.bearing(mark):
                yield resource.id

    @staticmethod
    def _read(context: RuleContext, thing: str) -> Reading[Node] | None:
        """The thing, where it is there and somebody waits for it."""
        graph = context.graph
        resource = graph.nodes.get(thing)
        if resource is None or _TOLD_BY.get(resource.kind) not in resource.attributes:
            return None
        waiter = graph.oldest_waiter(thing)
        if waiter is None:
            return None
        return Reading(resource if _is_there(context, resource) else None, (waiter,))

    def _tell(self, context: RuleContext, resource: Node, waiter: str, waiting: list[str]) -> Account:
        graph = context.graph
        return Account(
            title=f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, resource.id)}, "
            f"although {_STATES[resource.kind]}",
            advice=f"{self.advice}.",
            look_at=place(graph.nodes[waiter]),
            evidence=[evidence.link(graph, waiter, resource.id, None)],
            blocked=evidence.tail(graph, waiting),
        )


def _is_there(context: RuleContext, resource: Node) -> bool:
    if semconv.POOL_IN_USE in resource.attributes:
        return False  # what it may still make takes its time: a connection to a server that does not answer
    match resource.kind:
        case NodeKind.LOCK:
            return resource.attributes.get(semconv.LOCK_LOCKED) is False
        case NodeKind.SEMAPHORE:
            return (context.number(resource, semconv.SEMAPHORE_AVAILABLE) or 0) > 0
        case NodeKind.EVENT:
            return resource.attributes.get(semconv.EVENT_IS_SET) is True
        case NodeKind.RX:
            length = context.number(resource, semconv.CHANNEL_LENGTH)
            return bool(length) and _operation(context, resource) == "queue.get"
        case _:
            length = context.number(resource, semconv.CHANNEL_LENGTH)
            capacity = context.number(resource, semconv.CHANNEL_CAPACITY)
            putting = _operation(context, resource) == "queue.put"
            return capacity is not None and length is not None and length < capacity and putting


def _operation(context: RuleContext, resource: Node) -> str:
    waiter = context.graph.oldest_waiter(resource.id)
    return "" if waiter is None else context.graph.wait_of(waiter).operation


def _loop_is_busy(context: RuleContext, waiter: str) -> bool:
    node = context.graph.nodes.get(context.graph.thread_of(waiter) or "")
    return node is not None and (node.wait is not None or semconv.LOOP_STALLED_SINCE in node.attributes)
