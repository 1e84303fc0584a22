# SPDX-License-Identifier: Apache-2.0
"""A pool of processes whose workers end before they have done anything."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind
from .. import wording
from . import one_wait
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds


class PoolWorkersDie(LookRule):
    """Somebody waits for a result, and at each of several looks all workers are others than at the one before. The pool
    will go on starting new ones; only if one of them lives is the work done."""

    name = "pool_workers_die"
    kind = FindingKind.NEVER_ENDS
    levels = (Level.SUSPECT,)
    when = (
        "Somebody has waited {waited} for a result of a `multiprocessing.Pool`, whose workers end as soon as they "
        "start, and are replaced again and again"
    )
    advice = (
        "See what the workers print to stderr before they end: mostly their `initializer` raises. Let it not raise, or "
        "use `concurrent.futures.ProcessPoolExecutor`, which gives up (`BrokenProcessPool`)"
    )
    explains = True

    waited = seconds(5, "how long somebody must have waited")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for result in context.of(NodeKind.FUTURE):
            since_ns = context.number(result, semconv.POOL_WORKERS_END_SINCE)
            waiter = graph.oldest_waiter(result.id) if since_ns is not None else None
            if waiter is None or waiter not in graph.settled or waiter in graph.bounded or waiter in context.explained:
                continue
            if context.is_long(waiter, self.waited):
                yield Candidate(
                    kind=self.kind,
                    level=Level.SUSPECT,
                    since_ns=graph.wait_of(waiter).since_ns,
                    core=[waiter, result.id],
                    about=[result.id],
                    tell=lambda result=result, waiter=waiter: self._tell(context, result, waiter),
                    explains=context.newly_behind({result.id, waiter}),
                )

    def _tell(self, context: RuleContext, result: Node, waiter: str) -> Account:
        graph = context.graph
        begins = result.attributes.get(semconv.POOL_INITIALIZER)
        name, _, place = begins.partition(" at ") if isinstance(begins, str) else ("", "", "")
        title = (
            f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, result.id)}, but the workers of "
            "the pool end as soon as they start, and are replaced again and again"
        )
        if name:
            title += f"; each begins with its initializer {name}{wording.at('at', place)}"
        return one_wait.account(graph, waiter, result.id, title, self.advice, place or graph.wait_of(waiter).source)
