# SPDX-License-Identifier: Apache-2.0
"""A pool of processes whose workers end before they have done anything."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node
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
        return one_wait.of_results(
            self,
            context,
            Level.SUSPECT,
            self.waited,
            lambda result: context.number(result, semconv.POOL_WORKERS_END_SINCE) is not None,
            self._tell,
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
