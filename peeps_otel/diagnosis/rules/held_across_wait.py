# SPDX-License-Identifier: Apache-2.0
"""Locks and permits whose holder takes its time elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ... import semconv
from ...model import Edge, FindingKind, Level, NodeKind
from .. import evidence, leaf, wording
from ..frames import site
from ..leaf import Leaf
from ..wait_index import WaitIndex
from ..wait_links import WAITERS
from .context import RuleContext
from .kept_readings import KeptReadings, Reading
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

    def __init__(self, values: dict[str, int] | None = None) -> None:
        super().__init__(values)
        self._kept = KeptReadings(self._read)

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        for candidate in self._kept.look(context, context.graph.holders):
            if candidate.about[0] not in context.explained:
                yield candidate

    def _read(self, context: RuleContext, thing: str) -> Reading[Candidate] | None:
        graph = context.graph
        resource = graph.nodes.get(thing) if thing in graph.waiters and thing in graph.holders else None
        if resource is None or resource.kind not in _KINDS:
            return None
        if semconv.POOL_IN_USE in resource.attributes:
            return None  # told by `pool_exhausted`
        holders = [h for h in graph.holders.get(thing, ()) if h in graph.nodes]
        if not holders or not self._may_be_slow(context, holders[0]):
            return Reading(None, graph.holders.get(thing, ()))  # as with most of many thousand
        waiter = graph.oldest_waiter(thing)
        if waiter is None or waiter not in graph.settled:
            return Reading(None, (*graph.holders.get(thing, ()), *([] if waiter is None else [waiter])))
        read = {*graph.holders.get(thing, ()), waiter, site(graph.nodes[waiter], graph.wait_of(waiter))}
        since_ns, since = graph.wait_of(waiter).since_ns, [_held_since(graph.holds(thing).get(h)) for h in holders]
        if None in since or not all(self._may_be_slow(context, holder) for holder in holders):
            return Reading(None, read)
        leaves = [leaf.leaf_of(graph, holder, read) for holder in holders[:_HOLDERS_MOST]]
        known = [one for one in leaves if one is not None]
        if len(known) < len(leaves):
            return Reading(None, read)
        told_ns = max(context.long_at_ns(waiter), *(one + self.held for one in since if one is not None))
        if context.now_ns < told_ns:
            return Reading(None, read, told_ns)
        due_ns = since_ns + self.stuck
        moves = context.now_ns < due_ns or any(one.moves(graph) for one in known)
        some = [h for h in holders[:_HOLDERS_MOST] if graph.nodes[h].kind in WAITERS]
        candidate = Candidate(
            kind=self.kind,
            level=Level.SLOW if moves else Level.SUSPECT,
            since_ns=since_ns,
            core=(waiter, thing, *some),
            about=(thing,),
            apart=leaf.library(graph, known[0]),
            tell=lambda: self._tell(graph, thing, waiter, holders, known[0]),
        )
        return Reading(candidate, read, due_ns if context.now_ns < due_ns else 0)

    def _may_be_slow(self, context: RuleContext, holder: str) -> bool:
        """Whether it waits; a thread may be in a call instead, a database's session wait for its client."""
        node = context.graph.nodes[holder]
        return node.wait is not None or node.kind is NodeKind.THREAD or semconv.DATABASE_SESSION in node.attributes

    def _tell(self, graph: WaitIndex, resource: str, waiter: str, holders: Sequence[str], way: Leaf) -> Account:
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


def _held_since(held: Edge | None) -> int | None:
    return None if held is None else held.since_ns
