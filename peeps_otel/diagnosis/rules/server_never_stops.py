# SPDX-License-Identifier: Apache-2.0
"""A server was told to stop, and waits for handlers that do not go on."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node, own_line
from ...model.operations import operation
from .. import evidence, leaf, wording
from ..closure import closure
from ..frames import place
from ..wait_index import WaitIndex
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds


class ServerNeverStops(LookRule):
    """What the server waits for is told, not the server: the handler that has stood still for longest."""

    name = "server_never_stops"
    kind = FindingKind.NEVER_EXITS
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "A server was told to stop {slow} ago and waits for a handler that has not gone on since, as an event stream "
        "does to which nothing comes any more. SUSPECT after {stuck}, unless a timer ends the wait of either"
    )
    advice = (
        "End streams when the server is told to stop, or give its shutdown a limit (`timeout_graceful_shutdown` of "
        "uvicorn, `shutdown_timeout` of aiohttp)"
    )
    marks = frozenset({semconv.TASK_ENDS_SERVER})
    explains = True

    slow = seconds(5, "how long a handler may take to end")
    stuck = seconds(15, "how long until it counts as stuck")

    def __init__(self, values: dict[str, int] | None = None) -> None:
        super().__init__(values)
        self._first_seen: dict[str, int] = {}  # by task that ends a server: it polls, so its wait is always a new one

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        ending = [task for task in context.marked if task.attributes.get(semconv.TASK_ENDS_SERVER) is True]
        self._first_seen = {task.id: self._first_seen.get(task.id, context.now_ns) for task in ending}
        for task in ending:
            told_ns = self._first_seen[task.id]
            if context.now_ns - told_ns < self.slow or task.id in context.explained:
                continue
            keepers = [one for one in context.graph.targets.get(task.id, ()) if self._stands_still(context, one)]
            keeper = min(keepers, key=lambda one: (context.graph.wait_of(one).since_ns, one), default=None)
            if keeper is None or self._is_ring(context, task, keeper):
                continue
            since_ns = max(told_ns, context.graph.wait_of(keeper).since_ns)
            if context.now_ns - since_ns < self.slow:
                continue
            bounded = task.id in context.graph.bounded
            stuck = context.now_ns - since_ns >= self.stuck and not bounded
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if stuck else Level.SLOW,
                since_ns=since_ns,
                core=[keeper, task.id],
                about=[keeper],
                tell=lambda task=task, keeper=keeper, of=keepers: self._tell(context, task, keeper, of),
            )

    @staticmethod
    def _is_ring(context: RuleContext, task: Node, handler: str) -> bool:
        """Whether a handler itself waits for the server's end, which a limit will break: others tell rings."""
        targets = context.graph.targets
        return task.id in context.graph.bounded and task.id in closure([handler], lambda one: targets.get(one, ()))

    @staticmethod
    def _stands_still(context: RuleContext, handler: str) -> bool:
        graph = context.graph
        if handler not in graph.nodes or handler not in graph.settled or graph.nodes[handler].wait is None:
            return False
        way = leaf.leaf_of(graph, handler)
        return way is None or not (way.moves(graph) or _sleeps(graph.nodes[way.node]))

    def _tell(self, context: RuleContext, task: Node, keeper: str, keepers: list[str]) -> Account:
        graph = context.graph
        within = _within(graph, keeper)
        others = f" and {len(keepers) - 1} more" if len(keepers) > 1 else ""
        return Account(
            title=f"the server was told to stop, but does not: {wording.label(graph.nodes[keeper])}{others} "
            f"{wording.doing(graph, keeper)}{_also(graph, within)}; {wording.label(task)} waits for its end",
            advice=f"{self.advice}.",
            look_at=place(graph.nodes[within or keeper]),
            evidence=[
                evidence.link(graph, one, target, None)
                for one in (keeper, within)
                for target in graph.targets.get(one, ())[:1]
            ],
            blocked=evidence.tail(graph, {task.id, *graph.behind({task.id})}),
        )


def _sleeps(node: Node) -> bool:
    return node.wait is not None and operation(node.wait.operation).sleeps


def _within(graph: WaitIndex, handler: str) -> str:
    """A task that a handler has started, which stands in code of the program, where the handler itself does not: it
    makes the answer, and the handler only listens whether anybody still wants it. Empty where there is none."""
    if own_line.innermost(graph.nodes[handler].stack) is not None:
        return ""
    started = (
        node
        for node in graph.nodes.values()
        if node.attributes.get(semconv.TASK_PARENT) == handler
        and node.wait is not None
        and own_line.innermost(node.stack) is not None
    )
    return min((node.id for node in started), default="")


def _also(graph: WaitIndex, within: str) -> str:
    return f", and its {wording.label(graph.nodes[within])} {wording.doing(graph, within)}" if within else ""
