# SPDX-License-Identifier: Apache-2.0
"""Locks and permits whose holder takes its time elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ... import semconv
from ...model import Edge, FindingKind, Level, NodeKind
from .. import evidence, leaf, wording
from ..leaf import Leaf
from ..wait_links import WAITERS
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds

_HOLDERS_MOST = 20
_KINDS = (NodeKind.LOCK, NodeKind.SEMAPHORE)
_OF_SESSION = (
    "Commit before anything else is waited for; `idle_in_transaction_session_timeout` ends what was forgotten."
)
_OF_IMPORT = "Move the slow part out of the module's top level into a function, and call that once it is imported."


class HeldAcrossWait(LookRule):
    """Others wait for a lock or a permit while each holder is in a wait that nobody in sight must end: outside, in a
    call, or for what anybody may do. Where a holder waits for another lock, that one is told instead."""

    name = "held_across_wait"
    kind = FindingKind.HELD_ACROSS_WAIT
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "Somebody has waited {long_wait.waited} for a lock or permit, and every holder has held it for {held} and is, "
        "itself or through the tasks, threads, pools and requests it waits for, in a sleep, on a socket, in a call, or "
        "in another wait that nobody in sight must end. SUSPECT after {stuck} where no timer is seen that ends it"
    )
    advice = "Do the slow part before taking the lock, or after giving it back"

    held = seconds(2, "how long a lock must have been held before its holder's slow wait is worth a word")
    stuck = seconds(30, "how long somebody must have waited before it is more than slow")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for thing in graph.holders:
            resource = graph.nodes.get(thing) if thing in graph.waiters and thing not in context.explained else None
            if resource is None or resource.kind not in _KINDS:
                continue
            if semconv.POOL_IN_USE in resource.attributes:
                continue  # told by `pool_exhausted`
            holders = [h for h in graph.holders.get(resource.id, ()) if h in graph.nodes]
            if not holders or not self._may_be_slow(context, holders[0]):
                continue  # as with most of many thousand
            waiter = graph.oldest_waiter(resource.id)
            if waiter is None or waiter not in graph.settled or not context.is_long(waiter):
                continue
            held = graph.holds(resource.id)
            if not all(self._for_long(context, held.get(holder), holder) for holder in holders):
                continue
            leaves = [leaf.leaf_of(graph, holder) for holder in holders[:_HOLDERS_MOST]]
            known = [one for one in leaves if one is not None]
            if len(known) < len(leaves):
                continue
            since_ns = graph.wait_of(waiter).since_ns
            moves = context.now_ns - since_ns < self.stuck or any(one.moves(graph) for one in known)
            some = [h for h in holders[:_HOLDERS_MOST] if graph.nodes[h].kind in WAITERS]
            yield Candidate(
                kind=self.kind,
                level=Level.SLOW if moves else Level.SUSPECT,
                since_ns=since_ns,
                core=(waiter, resource.id, *some),
                about=(resource.id,),
                apart=leaf.library(graph, known[0]),
                tell=lambda r=resource.id, w=waiter, h=tuple(holders), way=known[0]: self._tell(context, r, w, h, way),
            )

    def _may_be_slow(self, context: RuleContext, holder: str) -> bool:
        """Whether it waits; a thread may be in a call instead, a database's session wait for its client."""
        node = context.graph.nodes[holder]
        return node.wait is not None or node.kind is NodeKind.THREAD or semconv.DATABASE_SESSION in node.attributes

    def _for_long(self, context: RuleContext, held: Edge | None, holder: str) -> bool:
        if not self._may_be_slow(context, holder) or held is None or held.since_ns is None:
            return False
        return context.now_ns - held.since_ns >= self.held

    def _tell(self, context: RuleContext, resource: str, waiter: str, holders: Sequence[str], way: Leaf) -> Account:
        graph = context.graph
        name = wording.label(graph.nodes[holders[0]])
        more = "" if len(holders) == 1 else f" (and {len(holders) - 1} more)"
        does, advice, look_at = leaf.clause(graph, way), f"{self.advice}.", leaf.look_at(graph, way)
        if wording.is_import(graph.nodes[resource]):
            advice = _OF_IMPORT
        if semconv.DATABASE_SESSION in graph.nodes[holders[0]].attributes:
            advice, look_at = _OF_SESSION, graph.wait_of(waiter).source
        return Account(
            title=f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, resource)}, "
            f"held by {name}{more}{', which ' if does else ''}{does}",
            advice=advice,
            look_at=look_at,
            evidence=[evidence.link(graph, waiter, resource, holders[0]), *leaf.links(graph, way)],
            blocked=evidence.tail(graph, graph.behind({resource})),
        )
