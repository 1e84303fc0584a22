# SPDX-License-Identifier: Apache-2.0
"""Pools whose workers are all busy while work is queued."""

from __future__ import annotations

from collections.abc import Iterable

from ...model import FindingKind, Level, Node, NodeKind
from .. import evidence, wording
from ..frames import place
from ..wait_links import IDLE
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds
from .unaided import is_judged, somebody_goes_on

_WORKERS_MOST = 20


class ExecutorSaturated(LookRule):
    """Somebody waits for work that is still queued, and no worker is free. Where none can ever be, it is a deadlock."""

    name = "executor_saturated"
    kind = FindingKind.EXECUTOR_SATURATED
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "Somebody has waited {queued} for work that is still queued in an executor, all of whose workers are busy. "
        "SUSPECT where for {stuck} all of them have waited without a deadline, and nobody who goes on by himself could "
        "end that, as far as the heap knows"
    )
    advice = "More workers, shorter work, or a pool of its own for the slow kind"

    queued = seconds(5, "how long work may stay queued behind busy workers")
    stuck = seconds(15, "how long all workers and who waits for them must have waited before it is more than slow")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        graph = context.graph
        queues: dict[str, list[str]] | None = None
        for pool in context.of(NodeKind.EXECUTOR):
            workers = [w for w in graph.holders.get(pool.id, ()) if w in graph.nodes]
            if pool.id in context.explained or not workers or any(graph.nodes[w].state == IDLE for w in workers):
                continue
            queues = _queues(context) if queues is None else queues
            waiting = _waiting(context, queues.get(pool.id, ()))
            if not waiting:
                continue
            oldest, future = waiting[0]
            since_ns = graph.wait_of(oldest).since_ns
            if context.now_ns - since_ns < self.queued or not context.is_long(oldest):
                continue
            yield Candidate(
                kind=self.kind,
                level=self._level(context, oldest, workers),
                since_ns=since_ns,
                core=[oldest, future, pool.id, *workers[:_WORKERS_MOST]],
                about=[pool.id],
                tell=lambda pool=pool, waiting=waiting, workers=workers: self._tell(context, pool, waiting, workers),
            )

    def _level(self, context: RuleContext, oldest: str, workers: list[str]) -> Level:
        graph = context.graph
        ages = [since_ns for one in (oldest, *workers) if (since_ns := graph.since_of(one)) is not None]
        if len(ages) <= len(workers) or context.now_ns - max(ages) < self.stuck:
            return Level.SLOW
        stuck = is_judged(context, workers) and not somebody_goes_on(context, workers, calls=True)
        return Level.SUSPECT if stuck else Level.SLOW

    def _tell(self, context: RuleContext, pool: Node, waiting: list[tuple[str, str]], workers: list[str]) -> Account:
        graph = context.graph
        oldest, future = waiting[0]
        busy = max(workers, key=lambda w: (graph.nodes[w].wait is not None, w))
        return Account(
            title=f"{wording.label(graph.nodes[oldest])} waits for work queued in {wording.label(pool)}, "
            f"whose {_busy(context, workers)}",
            advice=f"{self.advice}.",
            look_at=place(graph.nodes[busy]),
            evidence=[evidence.link(graph, oldest, future, busy)],
            blocked=[waiter for waiter, _ in waiting],
        )


def _busy(context: RuleContext, workers: list[str]) -> str:
    """`4 workers are all busy`; where all of them wait: `4 workers all wait, as does pool_0, which waits for …`."""
    graph = context.graph
    count = wording.count(len(workers), "worker")
    if any(not graph.targets.get(one) for one in workers):
        return f"{count} {'is' if len(workers) == 1 else 'are all'} busy"
    first = min(workers, key=lambda one: (graph.since_of(one) or 0, one))
    doing = f"{wording.label(graph.nodes[first])}, which {wording.doing(graph, first)}"
    return f"only worker is {doing}" if len(workers) == 1 else f"{count} all wait, as does {doing}"


def _queues(context: RuleContext) -> dict[str, list[str]]:
    """By pool: the futures that are queued in it."""
    found: dict[str, list[str]] = {}
    for future in context.of(NodeKind.FUTURE):
        for pool in dict.fromkeys(context.graph.holders.get(future.id, ())):
            found.setdefault(pool, []).append(future.id)
    return found


def _waiting(context: RuleContext, futures: Iterable[str]) -> list[tuple[str, str]]:
    """Who waits for one of them, the longest wait first, with the future."""
    graph = context.graph
    found = [
        (waiter, future) for future in futures for waiter in graph.waiters.get(future, ()) if waiter in graph.settled
    ]
    return sorted(found, key=lambda one: (graph.wait_of(one[0]).since_ns, one[0]))
