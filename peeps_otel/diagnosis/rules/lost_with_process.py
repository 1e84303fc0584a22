# SPDX-License-Identifier: Apache-2.0
"""What is shared between processes, and was lost with one that died."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, NodeKind
from .. import wording
from . import one_wait
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_SHARED = (
    *(NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.EVENT, NodeKind.CONDITION),
    *(NodeKind.RX, NodeKind.TX, NodeKind.FUTURE),
)

_POOL = "multiprocessing.pool.Pool"


class LostWithProcess(LookRule):
    """Somebody waits for what `multiprocessing` shares, and a process that may have had it has died: with its owner a
    lock is lost, with its worker the work. Nobody else that lives shares it; of a pool, whose workers are replaced, one
    has died meanwhile."""

    name = "lost_with_process"
    kind = FindingKind.NEVER_ENDS
    levels = (Level.LIKELY, Level.SUSPECT)
    when = (
        "Somebody has waited {waited} for a lock, queue or other thing of `multiprocessing` that no living process "
        "shares any more, and one that did has died; SUSPECT for the result of a pool that lost a worker meanwhile"
    )
    advice = "Start the work again with a new lock or queue; find why the process died"
    explains = True
    first = True
    marks = frozenset({semconv.RESOURCE_LOST_WITH})

    waited = seconds(5, "how long somebody must have waited")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for thing in context.bearing(semconv.RESOURCE_LOST_WITH):
            died = thing.attributes.get(semconv.RESOURCE_LOST_WITH)
            if thing.kind not in _SHARED or not isinstance(died, str) or graph.holders.get(thing.id):
                continue
            waiter = graph.oldest_waiter(thing.id)
            if waiter is None or waiter not in graph.settled or not context.is_long(waiter, self.waited):
                continue
            if graph.wait_of(waiter).deadline_ns is not None:
                continue
            if any(one not in graph.waiters.get(thing.id, ()) for one in graph.enders.get(thing.id, ())):
                continue  # another thread of this process, by the heap
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if thing.kind is NodeKind.FUTURE else Level.LIKELY,
                since_ns=graph.wait_of(waiter).since_ns,
                core=[waiter, thing.id],
                about=[thing.id],
                tell=lambda t=thing.id, w=waiter, d=died: self._tell(context, t, w, d),
                explains=context.newly_behind({thing.id, waiter}),
            )

    def _tell(self, context: RuleContext, thing: str, waiter: str, died: str) -> Account:
        graph = context.graph
        node = graph.nodes[thing]
        title = f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, thing)}"
        if node.kind is NodeKind.FUTURE and str(node.attributes.get(semconv.RESOURCE_TYPE)).endswith(_POOL):
            title += f" to have done all its work, of which a part may be lost with {died}"
        elif node.kind is NodeKind.FUTURE:
            title += f", and may have lost it with {died}"
        else:
            title += f", which may be lost with {died}; nobody else is left who could {wording.ends(graph, thing)}"
        return one_wait.account(graph, waiter, thing, title, self.advice, graph.wait_of(waiter).source)
