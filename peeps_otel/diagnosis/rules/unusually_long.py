# SPDX-License-Identifier: Apache-2.0
"""Waits that are only long: against what is usual at the same line."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind, Providers, own_line
from ...model.operations import operation
from .. import evidence, wording
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import number, seconds

_MEMBERS_MOST = 20


class UnusuallyLong(LookRule):
    """Somebody waits far longer than anybody ever has at this line, for what the program must end.

    Waits of libraries are left out, for what a connection waits for is outside; so are queues, and events that the same
    task waits for again and again: an idle consumer is no trouble.
    """

    name = "unusually_long"
    kind = FindingKind.NEVER_ENDS
    levels = (Level.SUSPECT,)
    when = (
        "A wait for an event, a condition, a barrier or a bare future takes {waited}, and {factor} times as long as "
        "the longest of at least {seen} that were seen to end at the same line"
    )
    advice = "Find who should end it, and why that did not happen"
    explains = True

    waited = seconds(5, "a shorter wait is never too long")
    factor = number(5, "how many times as long as the longest that has ended at its line")
    seen = number(2, "how many must have been seen to end there")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        behind: set[str] = set()  # everybody behind what was found so far
        for kind in (NodeKind.EVENT, NodeKind.FUTURE, NodeKind.BARRIER, NodeKind.CONDITION):
            for thing in context.of(kind):
                if thing.id in context.explained or thing.providers is not Providers.OPEN:
                    continue
                oldest = graph.oldest_waiter(thing.id)
                if oldest is None or graph.holders.get(thing.id):
                    continue
                is_told = oldest not in graph.settled or oldest in context.explained
                if not is_told and not self._is_too_long(context, thing, oldest):
                    continue  # before all the others are read: there may be thousands
                waiters = [w for w in graph.waiters.get(thing.id, ()) if w in graph.settled]
                waiters = [w for w in waiters if w not in context.explained]
                waiters.sort(key=lambda w: (graph.wait_of(w).since_ns, w))
                if not waiters or not self._is_too_long(context, thing, waiters[0]):
                    continue
                fresh = graph.behind({thing.id, *waiters}, behind)
                behind |= fresh
                yield Candidate(
                    kind=self.kind,
                    level=self.level,
                    since_ns=graph.wait_of(waiters[0]).since_ns,
                    core=[*waiters[:_MEMBERS_MOST], thing.id],
                    about=[thing.id],
                    tell=lambda thing=thing, waiters=waiters: self._tell(context, thing, waiters),
                    explains=[*waiters, *graph.waiting(fresh)],
                )

    def _is_too_long(self, context: RuleContext, thing: Node, waiter: str) -> bool:
        wait, memory = context.graph.wait_of(waiter), context.memory
        if not wait.source.rpartition(":")[2].isdigit():
            return False  # compiled code has no lines: its waits are not of one place
        if wait.deadline_ns is not None or not own_line.is_line(wait.source) or memory.ended(wait.source) < self.seen:
            return False
        if semconv.COULD_END_OUTSIDE in thing.attributes or any(
            _goes_on(context, one) for one in context.graph.enders.get(thing.id, ())
        ):
            return False  # the heap knows who will end it
        if thing.kind is NodeKind.EVENT and memory.has_waited(waiter, wait.source):
            return False
        return context.now_ns - wait.since_ns >= max(self.waited, memory.longest(wait.source) * self.factor)

    def _tell(self, context: RuleContext, thing: Node, waiters: list[str]) -> Account:
        graph, first = context.graph, waiters[0]
        waits = wording.waits_for(graph, first, thing.id)
        if len(waiters) > 1:
            waits = waits.replace("waits", "wait", 1)
        return Account(
            title=f"{wording.several([wording.label(graph.nodes[w]) for w in waiters])} {waits}, "
            "far longer than usual there",
            advice=f"{self.advice}.",
            look_at=graph.wait_of(first).source,
            evidence=[evidence.link(graph, waiter, thing.id, None) for waiter in waiters[:_MEMBERS_MOST]],
            blocked=evidence.tail(graph, graph.behind({thing.id, *waiters})),
        )


def _goes_on(context: RuleContext, one: str) -> bool:
    """Whether it runs, or a timer lets it run again."""
    node = context.graph.nodes.get(one)
    if node is None or node.wait is None:
        return node is not None
    return node.wait.deadline_ns is not None or operation(node.wait.operation).sleeps
