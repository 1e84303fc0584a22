# SPDX-License-Identifier: Apache-2.0
"""Locks that were held when this process was forked, by threads that it has not got."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind
from .. import evidence, wording
from .context import RuleContext
from .rule import Account, Candidate, LookRule


class HeldAtFork(LookRule):
    """Somebody waits for a lock whose holder stayed in the parent: the copy of it that is here is locked for good.

    PROVEN for an RLock, which tells its owner and can be released by nobody else. LIKELY for a plain lock: its holder
    is who was last seen in its block, and whoever has a reference may release it.
    """

    name = "held_at_fork"
    kind = FindingKind.HELD_AT_FORK
    levels = (Level.PROVEN, Level.LIKELY)
    when = (
        "A lock is waited for that another thread held when this process was forked. LIKELY for a plain lock, which "
        "does not tell who has it: the thread was last seen with it before the fork, and it is locked ever since"
    )
    advice = (
        "Fork before threads are started, use the start method `spawn` or `forkserver`, or make the lock anew in the "
        "child (`os.register_at_fork`)"
    )
    explains = True
    first = True
    marks = frozenset({semconv.LOCK_FORK_HOLDER})

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        for lock in context.bearing(semconv.LOCK_FORK_HOLDER):
            holder = lock.attributes.get(semconv.LOCK_FORK_HOLDER)
            if lock.kind is not NodeKind.LOCK or type(holder) is not str or lock.id in context.explained:
                continue
            waiter = self._waiter(context, lock)
            if waiter is None:
                continue
            exact = lock.attributes.get(semconv.LOCK_FORK_HOLDER_EXACT) is True
            yield Candidate(
                kind=self.kind,
                level=Level.PROVEN if exact else Level.LIKELY,
                since_ns=graph.wait_of(waiter).since_ns,
                core=[waiter, lock.id],
                about=[lock.id],
                tell=lambda lock=lock, w=waiter, h=holder, e=exact: self._tell(context, lock, w, h, e),
                explains=graph.waiting(graph.waiters[lock.id]),
            )

    def _waiter(self, context: RuleContext, lock: Node) -> str | None:
        """Who has waited longest, and does not give up by itself."""
        graph = context.graph
        waiters = [w for w in graph.waiters.get(lock.id, ()) if w in graph.settled and w in graph.nodes]
        endless = [w for w in waiters if graph.wait_of(w).deadline_ns is None]
        return min(endless, key=lambda w: (graph.wait_of(w).since_ns, w), default=None)

    def _tell(self, context: RuleContext, lock: Node, waiter: str, holder: str, exact: bool) -> Account:
        graph = context.graph
        when = " when" if exact else ", as last seen before"
        return Account(
            title=f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, lock.id)}, "
            f"held by {holder}{when} this process was forked; nobody here can release it",
            advice=f"{self.advice}.",
            look_at=graph.wait_of(waiter).source,
            evidence=[evidence.link(graph, waiter, lock.id, None)],
            blocked=evidence.tail(graph, graph.waiting(graph.waiters[lock.id])),
        )
