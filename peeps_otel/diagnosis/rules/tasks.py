# SPDX-License-Identifier: Apache-2.0
"""Tasks that behave oddly by themselves: they spin, or do not die."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import Finding, FindingKind, Level, Node, finding_id
from .. import evidence, wording
from ..frames import place
from .context import RuleContext, about


class SelfWaking:
    """A task that asks for its next step at once, again and again."""

    kind = FindingKind.SELF_WAKING
    level = Level.SLOW
    when = (
        "In half of its samples a task is ready to run although it has waited for nothing, as in a loop of `sleep(0)`"
    )
    advice = "Wait for what the loop polls for: an event, a queue, or at least a sleep that takes time"

    def find(self, context: RuleContext) -> Iterable[Finding]:
        for task in context.marked:
            percent = context.number(task, semconv.TASK_SELF_WAKES)
            if percent is None or percent < context.thresholds.self_wakes_percent or task.id in context.explained:
                continue
            title = f"{wording.label(task)} wakes itself again and again"
            yield about(self, task, title, task.created_at, place(task))


class CancelIgnored:
    """A cancelled task that is still waiting: in its clean-up, or because it swallowed the cancellation.

    One that only waits for other cancelled tasks is not named: they are.
    """

    kind = FindingKind.CANCEL_IGNORED
    level = Level.SUSPECT
    when = "A task was asked to cancel and is still in one wait 5 s later (SLOW), 30 s later (SUSPECT)"
    advice = "Let `CancelledError` through: catch it only to raise it again, and put a timeout on what `finally` awaits"

    def __init__(self) -> None:
        self._first_seen: dict[str, tuple[int, int]] = {}  # by task: how often asked, and when that was first seen

    def find(self, context: RuleContext) -> Iterable[Finding]:
        asked: dict[str, tuple[int, int]] = {}
        for task in context.marked:
            requests = context.number(task, semconv.TASK_CANCEL_REQUESTS)
            if not requests:
                continue
            before = self._first_seen.get(task.id)
            asked[task.id] = before if before is not None and before[0] == requests else (requests, context.now_ns)
        self._first_seen = asked
        for task in context.marked:
            if task.id not in asked or task.id in context.explained or task.wait is None:
                continue
            since_ns = max(asked[task.id][1], task.wait.since_ns)
            age_ns = context.now_ns - since_ns
            if age_ns < context.thresholds.cancel_slow_ns or task.id not in self._still(context, task, asked):
                continue
            yield self._finding(context, task, since_ns, age_ns >= context.thresholds.cancel_ignored_ns)

    def _still(self, context: RuleContext, task: Node, asked: dict[str, tuple[int, int]]) -> set[str]:
        targets = context.graph.targets.get(task.id, ())
        return set() if any(target in asked for target in targets) else {task.id}

    def _finding(self, context: RuleContext, task: Node, since_ns: int, long: bool) -> Finding:
        where = place(task)
        by = self._who(context, task)
        links = [evidence.link(context.graph, task.id, t, None) for t in context.graph.targets.get(task.id, ())[:1]]
        return Finding(
            id=finding_id(self.kind, [task.id]),
            kind=self.kind,
            level=self.level if long else Level.SLOW,
            title=f"{wording.label(task)} was cancelled{by}, but still {wording.doing(context.graph, task.id)}",
            since_ns=since_ns,
            core=[task.id],
            evidence=links,
            advice=f"{self.advice}.",
            look_at=where,
        )

    def _who(self, context: RuleContext, task: Node) -> str:
        by = task.attributes.get(semconv.TASK_CANCELLED_BY)
        if not isinstance(by, str) or not by:
            return ""
        known = context.graph.nodes.get(by)
        return f" by {wording.label(known) if known is not None else by}"
