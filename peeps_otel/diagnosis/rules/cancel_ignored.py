# SPDX-License-Identifier: Apache-2.0
"""Tasks that do not die."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level, Node
from .. import evidence, wording
from ..frames import place
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import seconds


class CancelIgnored(LookRule):
    """A cancelled task that is still waiting: in its clean-up, or because it swallowed the cancellation.

    One that only waits for other cancelled tasks is not named: they are. One that goes on, from wait to wait, may be
    cleaning up for long: it is told as slow where somebody waits for its end.
    """

    name = "cancel_ignored"
    kind = FindingKind.CANCEL_IGNORED
    levels = (Level.SUSPECT, Level.SLOW)
    when = (
        "A task was asked to cancel and is still in one wait {slow} later (SLOW), {stuck} later (SUSPECT); SLOW where "
        "it goes on instead, while somebody waits for its end"
    )
    advice = "Let `CancelledError` through: catch it only to raise it again, and put a timeout on what `finally` awaits"
    marks = frozenset({semconv.TASK_CANCEL_REQUESTS})

    slow = seconds(5, "how long a cancelled task may clean up")
    stuck = seconds(30, "how long until its clean-up counts as stuck")

    def __init__(self, values: dict[str, int] | None = None) -> None:
        super().__init__(values)
        self._first_seen: dict[str, tuple[int, int]] = {}  # by task: how often asked, and when that was first seen

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        asked: dict[str, tuple[int, int]] = {}
        for task in context.marked:
            requests = context.number(task, semconv.TASK_CANCEL_REQUESTS)
            if not requests:
                continue
            before = self._first_seen.get(task.id)
            asked[task.id] = before if before is not None and before[0] == requests else (requests, context.now_ns)
        self._first_seen = asked
        for task in context.marked:
            if task.id not in asked or task.id in context.explained:
                continue
            asked_ns = asked[task.id][1]
            since_ns = asked_ns if task.wait is None else max(asked_ns, task.wait.since_ns)
            goes_on = task.wait is None or context.now_ns - since_ns < self.slow
            if goes_on:
                since_ns = asked_ns
                if context.now_ns - since_ns < self.slow or not self._waiter(context, task):
                    continue
            if any(target in asked for target in context.graph.targets.get(task.id, ())):
                continue
            is_stuck = not goes_on and context.now_ns - since_ns >= self.stuck
            yield Candidate(
                kind=self.kind,
                level=Level.SUSPECT if is_stuck else Level.SLOW,
                since_ns=since_ns,
                core=[task.id],
                about=[task.id],
                tell=lambda task=task, goes_on=goes_on: self._tell(context, task, goes_on),
            )

    @staticmethod
    def _waiter(context: RuleContext, task: Node) -> str:
        """Who has waited for the end of a task longest; empty where nobody does."""
        return context.graph.oldest_waiter(task.id) or ""

    def _tell(self, context: RuleContext, task: Node, goes_on: bool) -> Account:
        graph = context.graph
        targets = graph.targets.get(task.id, ())
        title = f"{wording.label(task)} was cancelled{self._who(context, task)}, but "
        if goes_on:
            waiter = self._waiter(context, task)
            waits_at = wording.at("at", graph.wait_of(waiter).source)
            title += (
                f"goes on{wording.at('at', place(task))}; {wording.label(graph.nodes[waiter])} waits for it{waits_at}"
            )
        else:
            title += f"still {wording.doing(graph, task.id)}"
        return Account(
            title=title,
            advice=f"{self.advice}.{_of_wait_for(task)}",
            look_at=place(task),
            evidence=[evidence.link(graph, task.id, target, None) for target in targets[:1]],
            blocked=evidence.tail(graph, graph.behind({task.id}) - {task.id}),
        )

    def _who(self, context: RuleContext, task: Node) -> str:
        by = task.attributes.get(semconv.TASK_CANCELLED_BY)
        if not isinstance(by, str) or not by:
            return ""
        known = context.graph.nodes.get(by)
        return f" by {wording.label(known) if known is not None else by}"


def _of_wait_for(task: Node) -> str:
    """What else may be to blame: waits of this name are only there until Python 3.11."""
    if task.wait is None or task.wait.operation != "wait_for":
        return ""
    return (
        " Until Python 3.11 `asyncio.wait_for` itself loses a cancellation that comes as its call ends: use "
        "`asyncio.timeout` around the call."
    )
