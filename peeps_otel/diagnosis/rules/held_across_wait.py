# SPDX-License-Identifier: Apache-2.0
"""Locks and permits whose holder takes its time elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from ...model import Edge, FindingKind, Level, NodeKind
from .. import evidence, wording
from ..frames import place
from ..wait_index import WAITERS
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_OUTSIDE = frozenset({NodeKind.IO, NodeKind.TIMER, NodeKind.COMMAND, NodeKind.REQUEST, NodeKind.CONNECTION})
_HOLDERS_MOST = 20


class HeldAcrossWait(LookRule):
    """Others wait for a lock or a permit while each holder is in a wait that will end, but takes long."""

    name = "held_across_wait"
    kind = FindingKind.HELD_ACROSS_WAIT
    levels = (Level.SLOW,)
    when = (
        "Somebody has waited {long_wait.waited} for a lock or permit, and every holder has held it for {held} and is "
        "itself in a sleep, on a socket, or in another wait that the program does not end itself"
    )
    advice = "Do the slow part before taking the lock, or after giving it back"

    held = seconds(2, "how long a lock must have been held before its holder's slow wait is worth a word")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for kind in (NodeKind.LOCK, NodeKind.SEMAPHORE):
            for resource in context.of(kind):
                if resource.id in context.explained or resource.id not in graph.waiters:
                    continue
                holders = [h for h in graph.holders.get(resource.id, ()) if h in graph.nodes]
                if not holders or graph.nodes[holders[0]].wait is None:
                    continue  # as with most of many thousand
                held = graph.holds(resource.id)
                if not all(self._slow(context, held.get(holder), holder) for holder in holders):
                    continue
                waiter = graph.oldest_waiter(resource.id)
                if waiter is None or waiter not in graph.settled or not context.is_long(waiter):
                    continue
                some = [h for h in holders[:_HOLDERS_MOST] if graph.nodes[h].kind in WAITERS]
                yield Candidate(
                    kind=self.kind,
                    level=self.level,
                    since_ns=graph.wait_of(waiter).since_ns,
                    core=[waiter, resource.id, *some],
                    about=[resource.id],
                    tell=lambda r=resource.id, w=waiter, h=holders: self._tell(context, r, w, h),
                )

    def _slow(self, context: RuleContext, held: Edge | None, holder: str) -> bool:
        """Whether it has had the thing for long, and waits for nothing of this program."""
        if context.graph.nodes[holder].wait is None or held is None or held.since_ns is None:
            return False
        if context.now_ns - held.since_ns < self.held:
            return False
        targets = (context.graph.nodes.get(target) for target in context.graph.targets.get(holder, ()))
        return all(target is None or target.kind in _OUTSIDE for target in targets)

    def _tell(self, context: RuleContext, resource: str, waiter: str, holders: list[str]) -> Account:
        graph = context.graph
        name = wording.label(graph.nodes[holders[0]])
        more = "" if len(holders) == 1 else f" (and {len(holders) - 1} more)"
        return Account(
            title=f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, resource)}, "
            f"held by {name}{more}, which {wording.doing(graph, holders[0])}",
            advice=f"{self.advice}.",
            look_at=place(graph.nodes[holders[0]]),
            evidence=[evidence.link(graph, waiter, resource, holders[0])],
            blocked=evidence.tail(graph, {w for w in graph.waiters[resource] if w in graph.nodes}),
        )
