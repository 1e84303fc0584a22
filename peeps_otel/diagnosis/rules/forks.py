# SPDX-License-Identifier: Apache-2.0
"""Locks that were held when this process was forked, by threads that it has not got."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import Finding, FindingKind, Level, Node, NodeKind, finding_id
from .. import evidence, wording
from .context import RuleContext


class HeldAtFork:
    """Somebody waits for a lock whose holder stayed in the parent: the copy of it that is here is locked for good.

    PROVEN for an RLock, which tells its owner and can be released by nobody else. LIKELY for a plain lock: its holder
    is who was last seen in its block, and whoever has a reference may release it.
    """

    kind = FindingKind.HELD_AT_FORK
    level = Level.PROVEN
    when = (
        "A lock is waited for that another thread held when this process was forked. LIKELY for a plain lock, which "
        "does not tell who has it: the thread was last seen with it before the fork, and it is locked ever since"
    )
    advice = (
        "Fork before threads are started, use the start method `spawn` or `forkserver`, or make the lock anew in the "
        "child (`os.register_at_fork`)"
    )

    def find(self, context: RuleContext) -> Iterable[Finding]:
        for lock in context.of(NodeKind.LOCK):
            holder = lock.attributes.get(semconv.LOCK_FORK_HOLDER)
            if type(holder) is str and lock.id not in context.explained:
                waiter = self._waiter(context, lock)
                if waiter is not None:
                    yield self._finding(context, lock, waiter, holder)

    def _waiter(self, context: RuleContext, lock: Node) -> str | None:
        """Who has waited longest, and does not give up by itself."""
        graph = context.graph
        waiters = [w for w in graph.waiters.get(lock.id, ()) if w in graph.settled and w in graph.nodes]
        endless = [w for w in waiters if graph.wait_of(w).deadline_ns is None]
        return min(endless, key=lambda w: (graph.wait_of(w).since_ns, w), default=None)

    def _finding(self, context: RuleContext, lock: Node, waiter: str, holder: str) -> Finding:
        graph = context.graph
        exact = lock.attributes.get(semconv.LOCK_FORK_HOLDER_EXACT) is True
        blocked = evidence.tail(graph, {w for w in graph.waiters[lock.id] if w in graph.nodes} - {waiter})
        context.explained.update((lock.id, waiter, *blocked))
        when = " when" if exact else ", as last seen before"
        wait = graph.wait_of(waiter)
        return Finding(
            id=finding_id(self.kind, [lock.id]),
            kind=self.kind,
            level=Level.PROVEN if exact else Level.LIKELY,
            title=f"{wording.label(graph.nodes[waiter])} {wording.waits_for(graph, waiter, lock.id)}, "
            f"held by {holder}{when} this process was forked; nobody here can release it",
            since_ns=wait.since_ns,
            core=[waiter, lock.id],
            blocked=blocked,
            evidence=[evidence.link(graph, waiter, lock.id, None)],
            advice=f"{self.advice}.",
            blocked_sites=evidence.sites(graph, blocked),
            look_at=wait.source,
        )
