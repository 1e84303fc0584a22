# SPDX-License-Identifier: Apache-2.0
"""A server's threads all wait for what only a request that is still to come could bring, and none is left for it."""

from __future__ import annotations

from collections.abc import Mapping

from ... import semconv
from ...model import FindingKind, Level, Node, NodeKind
from .. import evidence, wording
from ..frames import place
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds
from .unaided import is_judged, somebody_goes_on

_MEMBERS_MOST = 20


class NoWorkerLeft(LookRule):
    """A function that a request would call (`notify` of an API) is one that somebody may call, so such a wait alone is
    no trouble. It is where the thread that would run it is one of those that wait."""

    name = "no_worker_left"
    kind = FindingKind.POOL_EXHAUSTED
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "Every thread of a full executor that has work queued handles a request, and for {slow} all of them have "
        "waited without a deadline for what nobody brings who goes on by himself: at most a request that is still to "
        "come, for which no thread is left. SUSPECT after {stuck} if the heap was asked"
    )
    advice = (
        "A handler that waits for another request keeps a thread from it: give it a deadline, an executor of its own, "
        "or let it answer at once and be asked again. More threads only put it off"
    )
    explains = True

    stuck = seconds(15, "how long the youngest of these waits must have lasted before it is more than slow")
    slow = seconds(5, "how long it must have lasted before it is worth a word")

    def find(self, context: RuleContext) -> list[Candidate]:
        graph = context.graph
        found: list[Candidate] = []
        handled: Mapping[str, Node] | None = None
        for pool in context.of(NodeKind.EXECUTOR):
            workers = sorted(one for one in graph.holders.get(pool.id, ()) if one in graph.nodes)
            limit = context.number(pool, semconv.EXECUTOR_WORKER_LIMIT)
            queued = context.number(pool, semconv.EXECUTOR_QUEUED)
            if not queued or not workers or limit is None or len(workers) < limit or pool.id in context.explained:
                continue
            if any(graph.since_of(one) is None or one in context.explained for one in workers):
                continue
            since_ns = max(graph.wait_of(one).since_ns for one in workers)
            if context.now_ns - since_ns < self.slow:
                continue
            if handled is None:
                responses = context.of(NodeKind.RESPONSE)
                handled = {one: node for node in responses for one in graph.answers.get(node.id, ())}
            if any(one not in handled for one in workers) or somebody_goes_on(context, workers, calls=False):
                continue
            asked = is_judged(context, workers)
            old = asked and context.now_ns - since_ns >= self.stuck
            found.append(
                Candidate(
                    kind=self.kind,
                    level=Level.SUSPECT if old else Level.SLOW,
                    since_ns=since_ns,
                    core=[pool.id, *workers[:_MEMBERS_MOST]],
                    about=[pool.id],
                    tell=lambda p=pool, w=workers, h=handled: self._tell(context, p, w, h),
                    explains=[pool.id, *workers],
                )
            )
        return found

    def _tell(self, context: RuleContext, pool: Node, workers: list[str], handled: Mapping[str, Node]) -> Account:
        graph = context.graph
        first = min(workers, key=lambda one: (graph.wait_of(one).since_ns, one))
        count = len(workers)
        methods = sorted({handled[one].name for one in workers})
        who = "its only worker handles" if count == 1 else f"its {count} workers handle"
        waiting = "waits" if count == 1 else "wait"
        thing = graph.targets[first][0]
        what = wording.waits_for(graph, first, thing).removeprefix("waits ")
        title = (
            f"{wording.label(pool)} has no worker left: {who} {wording.several(methods)} and {waiting} {what}"
            f"{wording.at('at', place(graph.nodes[first]))}, while more is queued"
        )
        by = graph.nodes[thing].attributes.get(semconv.COULD_END_OPEN)
        advice = f"{by}, which could end that wait, but no thread is left for the request. " if by else ""
        return Account(
            title=title,
            advice=f"{advice}{self.advice}.",
            look_at=place(graph.nodes[first]),
            evidence=[evidence.link(graph, one, graph.targets[one][0], None) for one in workers[:_MEMBERS_MOST]],
            blocked=evidence.tail(graph, graph.waiting(graph.behind({pool.id}) - set(workers))),
        )
