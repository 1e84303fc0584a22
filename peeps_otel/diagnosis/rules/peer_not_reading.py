# SPDX-License-Identifier: Apache-2.0
"""Bytes that do not move: the other end of a connection or pipe takes nothing."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import EvidenceStep, FindingKind, Level, Node, NodeKind
from .. import evidence, leaf, wording
from ..frames import place
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_OTHERWISE = frozenset({semconv.COMMAND_AWAITS_INPUT, semconv.COMMAND_PIPE_KEPT_BY})
"""It is the child that reads, or that has ended."""


class PeerNotReading(LookRule):
    """Somebody waits to write, or for a child process that does, and what stands in between does not change.

    Where the other end is in the hands of a task or thread of ours, that one is named. Two that wait for each other
    come out of the reduction.
    """

    name = "peer_not_reading"
    kind = FindingKind.PEER_NOT_READING
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "Somebody waits to write to a connection or pipe, or for a child process that has filled its pipe to us, and "
        "the bytes there have not changed for {slow}. SUSPECT after {unmoved}, "
        "unless whoever has the other end goes on; after {unseen} where that end is not in sight and may read slowly"
    )
    advice = "Read at the other end while this one writes, or give the write a timeout"
    explains = True

    unmoved = seconds(15, "how long the bytes must have stood still before it is more than slow")
    unseen = seconds(30, "the same where the other end is not in sight")
    slow = seconds(5, "how long the bytes must have stood still before that is worth a word")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        for kind in (NodeKind.IO, NodeKind.COMMAND):
            for thing in context.of(kind):
                since_ns = context.number(thing, semconv.IO_UNMOVED_SINCE)
                if since_ns is None or context.now_ns - since_ns < self.slow or thing.id in context.explained:
                    continue
                if not _OTHERWISE.isdisjoint(thing.attributes):
                    continue
                waiter = context.graph.oldest_waiter(thing.id)
                if waiter is None or waiter not in context.graph.settled or waiter in context.explained:
                    continue
                if context.graph.wait_of(waiter).since_ns > context.now_ns - self.slow:
                    continue
                yield Candidate(
                    kind=self.kind,
                    level=Level.SUSPECT if self._is_stuck(context, thing, since_ns) else Level.SLOW,
                    since_ns=max(since_ns, context.graph.wait_of(waiter).since_ns),
                    core=[waiter, thing.id],
                    about=[thing.id],
                    tell=lambda t=thing, w=waiter: self._tell(context, t, w),
                    explains=context.newly_behind({thing.id, waiter}),
                )

    def _is_stuck(self, context: RuleContext, thing: Node, since_ns: int) -> bool:
        """A reader that has gone on meanwhile may only be slow."""
        graph = context.graph
        readers = [one for one in graph.users.get(thing.id, ()) if one in graph.nodes]
        went_on = any((graph.since_of(one) or context.now_ns) > since_ns + self.slow for one in readers)
        least_ns = self.unmoved if readers or thing.kind is NodeKind.COMMAND else self.unseen
        return context.now_ns - since_ns >= least_ns and not went_on

    def _tell(self, context: RuleContext, thing: Node, waiter: str) -> Account:
        graph = context.graph
        title = f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, thing.id)}"
        links: list[EvidenceStep] = [evidence.link(graph, waiter, thing.id, None)]
        pipe = thing.attributes.get(semconv.COMMAND_FULL_PIPE)
        readers = [one for one in graph.users.get(thing.id, ()) if one in graph.nodes]
        reader = max(readers, key=lambda one: (one != waiter, graph.since_of(one) or 0, one), default=None)
        advice = f"{self.advice}."
        if thing.kind is NodeKind.COMMAND:
            title += f", which has filled {pipe or 'a pipe to this process'}, and nobody reads that"
            advice = (
                "Read what the child writes before waiting for its end: `communicate()`, or take from the queue before "
                "`join()`."
            )
        elif reader is None:
            title += ", but the other end reads nothing"
        elif reader == waiter:
            title += ", and has the other end itself"
        else:
            title += f", but {wording.label(graph.nodes[reader])}, which has the other end, reads nothing"
            way = leaf.leaf_of(graph, reader)
            if way is not None:
                title += f": it {leaf.clause(graph, way)}"
                links = [evidence.link(graph, waiter, thing.id, reader), *leaf.links(graph, way)]
        return Account(
            title=title,
            advice=advice,
            look_at=place(graph.nodes[waiter]),
            evidence=links,
            blocked=evidence.tail(graph, graph.behind({thing.id, waiter})),
        )
