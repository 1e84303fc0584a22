# SPDX-License-Identifier: Apache-2.0
"""Waits that are only long: against what is usual at the same line."""

from __future__ import annotations

from collections.abc import Iterable

from ...model import Finding, FindingKind, Level, Node, NodeKind, Providers, finding_id, own_line
from .. import evidence, wording
from .context import RuleContext

_MEMBERS_MOST = 20


class OnlyLong:
    """Somebody waits far longer than anybody ever has at this line, for what the program must end.

    Waits of libraries are left out, for what a connection waits for is outside; so are queues, and events that the same
    task waits for again and again: an idle consumer is no trouble.
    """

    kind = FindingKind.NEVER_ENDS
    level = Level.SUSPECT
    when = (
        "A wait for an event, a condition, a barrier or a bare future takes 5 s, and 5 times as long as the longest "
        "of at least 2 that were seen to end at the same line"
    )
    advice = "Find who should end it, and why that did not happen"

    def find(self, context: RuleContext) -> Iterable[Finding]:
        for kind in (NodeKind.EVENT, NodeKind.FUTURE, NodeKind.BARRIER, NodeKind.CONDITION):
            for thing in context.of(kind):
                if thing.id in context.explained or thing.providers is not Providers.OPEN:
                    continue
                waiters = [w for w in context.graph.waiters.get(thing.id, ()) if w in context.graph.settled]
                waiters = [w for w in waiters if w not in context.explained]
                waiters.sort(key=lambda w: (context.graph.wait_of(w).since_ns, w))
                if (
                    waiters
                    and not context.graph.holders.get(thing.id)
                    and self._is_too_long(context, thing, waiters[0])
                ):
                    yield self._finding(context, thing, waiters)

    def _is_too_long(self, context: RuleContext, thing: Node, waiter: str) -> bool:
        wait, memory, limits = context.graph.wait_of(waiter), context.memory, context.thresholds
        if not wait.source.rpartition(":")[2].isdigit():
            return False  # compiled code has no lines: its waits are not of one place
        if (
            wait.deadline_ns is not None
            or not own_line.is_line(wait.source)
            or memory.ended(wait.source) < limits.long_seen
        ):
            return False
        if thing.kind is NodeKind.EVENT and memory.has_waited(waiter, wait.source):
            return False
        usual_ns = memory.longest(wait.source) * limits.long_factor
        return context.now_ns - wait.since_ns >= max(limits.long_ns, usual_ns)

    def _finding(self, context: RuleContext, thing: Node, waiters: list[str]) -> Finding:
        graph, first = context.graph, waiters[0]
        wait = graph.wait_of(first)
        context.explained.update((thing.id, *waiters))
        blocked = evidence.tail(graph, graph.behind({thing.id, *waiters}))
        context.explained.update(blocked)
        return Finding(
            id=finding_id(self.kind, [thing.id]),
            kind=self.kind,
            level=self.level,
            title=f"{wording.several([wording.label(graph.nodes[w]) for w in waiters])} "
            f"{wording.waits_for(graph, first, thing.id)}, far longer than usual there",
            since_ns=wait.since_ns,
            core=[*waiters[:_MEMBERS_MOST], thing.id],
            blocked=blocked,
            evidence=[evidence.link(graph, waiter, thing.id, None) for waiter in waiters[:_MEMBERS_MOST]],
            advice=f"{self.advice}.",
            blocked_sites=evidence.sites(graph, blocked),
            look_at=wait.source,
        )
