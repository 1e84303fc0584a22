# SPDX-License-Identifier: Apache-2.0
"""A child process waits for input that only its parent could write, and the parent waits for the child."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind
from .. import wording
from ..frames import place
from . import one_wait
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds


class ChildAwaitsInput(LookRule):
    """A ring of two processes, of which one is seen from outside."""

    name = "child_awaits_input"
    kind = FindingKind.DEADLOCK
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "Somebody waits for the end of a child process, which for {slow} has waited to read from a pipe that only this "
        "process could write to. SUSPECT after {long}, unless somebody else who has the child in hand goes on"
    )
    advice = "Close the child's stdin, or write what it reads, before waiting for its end: `communicate()` does"
    explains = True

    long = seconds(15, "how long it must have lasted before it is more than slow")
    slow = seconds(5, "how long it must have lasted before it is worth a word")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for child in context.of(NodeKind.COMMAND):
            since_ns = context.number(child, semconv.IO_UNMOVED_SINCE)
            if (
                semconv.COMMAND_AWAITS_INPUT not in child.attributes
                or semconv.COMMAND_PIPE_KEPT_BY in child.attributes  # not this process alone could write it
                or since_ns is None
                or child.id in context.explained
            ):
                continue
            waiter = graph.oldest_waiter(child.id)
            if waiter is None or waiter not in graph.settled or waiter in graph.bounded or waiter in context.explained:
                continue
            since_ns = max(since_ns, graph.wait_of(waiter).since_ns)
            if context.now_ns - since_ns < self.slow:
                continue
            alone = not any(one != waiter and self._goes_on(context, one) for one in graph.users.get(child.id, ()))
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if alone and context.now_ns - since_ns >= self.long else Level.SLOW,
                since_ns=since_ns,
                core=[waiter, child.id],
                about=[child.id],
                tell=lambda child=child, waiter=waiter: self._tell(context, child, waiter),
                explains=context.newly_behind({child.id, waiter}),
            )

    @staticmethod
    def _goes_on(context: RuleContext, one: str) -> bool:
        return one in context.graph.nodes and context.graph.since_of(one) is None

    def _tell(self, context: RuleContext, child: Node, waiter: str) -> Account:
        graph = context.graph
        pipe = child.attributes[semconv.COMMAND_AWAITS_INPUT]
        title = (
            f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, child.id)}, which waits for input "
            f"from {pipe}, and only this process could write that"
        )
        return one_wait.account(graph, waiter, child.id, title, self.advice, place(graph.nodes[waiter]))
