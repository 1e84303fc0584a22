# SPDX-License-Identifier: Apache-2.0
"""A lock on a file that another process has, of which nothing is seen from here."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, NodeKind
from .. import evidence, wording
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds


class HeldByProcess(LookRule):
    """What that process does is not known: it may be at work. Where it reports too, other rules know more."""

    name = "held_by_process"
    kind = FindingKind.HELD_ACROSS_WAIT
    levels = (Level.SLOW,)
    when = "Somebody has waited {waited} for a lock on a file that another process has, which is not seen"
    advice = "See what that process does; take the lock with a timeout, and tell who has it when that is over"

    marks = frozenset({semconv.LOCK_FILE})

    waited = seconds(5, "how long somebody must have waited")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for lock in context.bearing(semconv.LOCK_FILE):
            holder = lock.attributes.get(semconv.COULD_END_OUTSIDE)
            known = lock.kind is NodeKind.LOCK and lock.attributes.get(semconv.LOCK_LOCKED) is True
            if not known or not isinstance(holder, str):
                continue
            waiter = graph.oldest_waiter(lock.id)
            if waiter is None or waiter not in graph.settled or not context.is_long(waiter, self.waited):
                continue
            if lock.id not in context.explained:
                yield Candidate(
                    kind=self.kind,
                    level=Level.SLOW,
                    since_ns=graph.wait_of(waiter).since_ns,
                    core=[waiter, lock.id],
                    about=[lock.id],
                    tell=lambda lock=lock.id, waiter=waiter, holder=holder: self._tell(context, lock, waiter, holder),
                )

    def _tell(self, context: RuleContext, lock: str, waiter: str, holder: str) -> Account:
        graph = context.graph
        node = graph.nodes[waiter]
        return Account(
            title=f"{wording.label(node)} {wording.waits_for(graph, waiter, lock)}, held by {holder}",
            advice=f"{self.advice}.",
            look_at=graph.wait_of(waiter).source,
            evidence=[evidence.link(graph, waiter, lock, None)],
            blocked=evidence.tail(graph, graph.behind({lock})),
        )
