# SPDX-License-Identifier: Apache-2.0
"""Pools whose workers are all busy while work is queued."""

from __future__ import annotations

from collections.abc import Iterable

from ...model import Finding, FindingKind, Level, NodeKind, finding_id
from .. import evidence, wording
from ..frames import place
from ..wait_graph import IDLE
from .context import RuleContext


class ExecutorSaturated:
    """Somebody waits for work that is still queued, and no worker is free. Where none can ever be, it is a deadlock."""

    kind = FindingKind.EXECUTOR_SATURATED
    level = Level.SLOW
    when = "Somebody has waited 5 s for work that is still queued in an executor, all of whose workers are busy"
    advice = "More workers, shorter work, or a pool of its own for the slow kind"

    def find(self, context: RuleContext) -> Iterable[Finding]:
        for pool in context.of(NodeKind.EXECUTOR):
            workers = [w for w in context.graph.holders.get(pool.id, ()) if w in context.graph.nodes]
            if pool.id in context.explained or not workers:
                continue
            if any(context.graph.nodes[worker].state == IDLE for worker in workers):
                continue
            waiting = self._waiting(context, pool.id)
            if not waiting:
                continue
            oldest, future = waiting[0]
            wait = context.graph.wait_of(oldest)
            if context.now_ns - wait.since_ns < context.thresholds.saturated_ns or not context.is_long(oldest):
                continue
            blocked = [waiter for waiter, _ in waiting[1:]]
            busy = max(workers, key=lambda w: (context.graph.nodes[w].wait is not None, w))
            yield Finding(
                id=finding_id(self.kind, [pool.id]),
                kind=self.kind,
                level=self.level,
                title=f"{wording.label(context.graph.nodes[oldest])} waits for work queued in {wording.label(pool)}, "
                f"whose {wording.count(len(workers), 'worker')} are all busy",
                since_ns=wait.since_ns,
                core=[oldest, future, pool.id, *workers[:20]],
                blocked=blocked,
                evidence=[evidence.link(context.graph, oldest, future, busy)],
                advice=f"{self.advice}.",
                blocked_sites=evidence.sites(context.graph, blocked),
                look_at=place(context.graph.nodes[busy]),
            )

    def _waiting(self, context: RuleContext, pool: str) -> list[tuple[str, str]]:
        """Who waits for a future that is queued there, the longest wait first, with the future."""
        graph = context.graph
        found = [
            (waiter, future.id)
            for future in context.of(NodeKind.FUTURE)
            if pool in graph.holders.get(future.id, ())
            for waiter in graph.waiters.get(future.id, ())
            if waiter in graph.settled
        ]
        return sorted(found, key=lambda one: (graph.wait_of(one[0]).since_ns, one[0]))
