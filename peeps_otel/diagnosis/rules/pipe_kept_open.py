# SPDX-License-Identifier: Apache-2.0
"""A child process has ended, but its output does not: a process that it started has the pipe too."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind
from .. import evidence, wording
from ..frames import place
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds


class PipeKeptOpen(LookRule):
    """Who reads what a child prints waits for the end of the pipe, which comes when the last one closes it that has
    inherited it."""

    name = "pipe_kept_open"
    kind = FindingKind.NEVER_ENDS
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "Somebody has waited {slow} for the end of what a child prints. The child has ended, and another process that "
        "inherited the pipe keeps it open. SUSPECT after {long}"
    )
    advice = (
        "Start what is to outlive its parent with its output elsewhere (`>/dev/null 2>&1`, `stdout=DEVNULL`), or read "
        "with a timeout"
    )
    explains = True

    long = seconds(15, "how long it must have lasted before it is more than slow")
    slow = seconds(5, "how long it must have lasted before it is worth a word")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for child in context.of(NodeKind.COMMAND):
            keeper = child.attributes.get(semconv.COMMAND_PIPE_KEPT_BY)
            waiter = graph.oldest_waiter(child.id) if isinstance(keeper, str) else None
            if waiter is None or waiter not in graph.settled or waiter in graph.bounded or waiter in context.explained:
                continue
            since_ns = max(context.number(child, semconv.IO_UNMOVED_SINCE) or 0, graph.wait_of(waiter).since_ns)
            if context.now_ns - since_ns < self.slow:
                continue
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if context.now_ns - since_ns >= self.long else Level.SLOW,
                since_ns=since_ns,
                core=[waiter, child.id],
                about=[child.id],
                tell=lambda child=child, waiter=waiter, keeper=keeper: self._tell(context, child, waiter, str(keeper)),
                explains=context.newly_behind({child.id, waiter}),
            )

    def _tell(self, context: RuleContext, child: Node, waiter: str, keeper: str) -> Account:
        graph = context.graph
        title = (
            f"{wording.label(graph.nodes[waiter])} waits for the end of what {wording.process(child)} prints, which "
            f"has ended itself, but {keeper} has the pipe too and keeps it open"
        )
        return Account(
            title=title,
            advice=f"{self.advice}.",
            look_at=place(graph.nodes[waiter]),
            evidence=[evidence.link(graph, waiter, child.id, None)],
            blocked=evidence.tail(graph, graph.behind({child.id, waiter})),
        )
