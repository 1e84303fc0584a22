# SPDX-License-Identifier: Apache-2.0
"""A pool of processes in which nobody hands on the results any more."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node
from .. import wording
from . import one_wait
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds


class PoolLostResults(LookRule):
    """The one thread that reads the results has ended: what the workers send stays in the pipe. LIKELY, for the thread
    that gives out the work may still end a wait, by an error."""

    name = "pool_lost_results"
    kind = FindingKind.NEVER_ENDS
    levels = (Level.LIKELY,)
    when = (
        "Somebody has waited {waited} for a result of a `multiprocessing.Pool` whose thread that takes the results "
        "from the workers has ended"
    )
    advice = (
        "See what that thread printed to stderr: mostly an exception that a worker raised cannot be made again from "
        "its pickle. Give the exception's arguments to `super().__init__`, or return errors as values; after "
        "`terminate()` no result comes any more"
    )
    explains = True

    waited = seconds(5, "how long somebody must have waited")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        return one_wait.of_results(
            self,
            context,
            self.level,
            self.waited,
            lambda result: result.attributes.get(semconv.POOL_RESULTS_ENDED) is True,
            self._tell,
        )

    def _tell(self, context: RuleContext, result: Node, waiter: str) -> Account:
        graph = context.graph
        title = (
            f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, result.id)}, but the thread of "
            "the pool that hands on results has ended"
        )
        return one_wait.account(graph, waiter, result.id, title, self.advice, graph.wait_of(waiter).source)
