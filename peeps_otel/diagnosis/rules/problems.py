# SPDX-License-Identifier: Apache-2.0
"""What the loop complained of: reported by the probe as nodes of kind `custom`, one per kind and place."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import Finding, FindingKind, Level, Node, NodeKind
from .context import RuleContext, about


def _of(context: RuleContext, problem: str) -> Iterable[Node]:
    return (node for node in context.of(NodeKind.CUSTOM) if node.attributes.get(semconv.PROBLEM) == problem)


def _times(context: RuleContext, node: Node) -> str:
    count = context.number(node, semconv.PROBLEM_COUNT)
    return "" if count is None or count < 2 else " again and again"


class TaskDestroyed:
    """A task was collected before its end: nobody referred to it any more, nor to what would have woken it."""

    kind = FindingKind.TASK_DESTROYED
    level = Level.SLOW
    when = "`Task was destroyed but it is pending!` was reported"
    advice = "Keep a reference to every task until it ends (a set, or a TaskGroup), and end what it waits for"

    def find(self, context: RuleContext) -> Iterable[Finding]:
        for node in _of(context, "destroyed_pending"):
            title = f"{node.name or 'a task'} was destroyed before it ended{_times(context, node)}"
            yield about(self, node, title, node.created_at, node.source)


class ExceptionNeverRetrieved:
    """A task or future failed and nobody has looked at its exception: who waits for its work may wait for ever."""

    kind = FindingKind.EXCEPTION_NEVER_RETRIEVED
    level = Level.SLOW
    when = "`Task exception was never retrieved` was reported, also for futures"
    advice = "Await the task, or give it a callback that logs its exception"

    def find(self, context: RuleContext) -> Iterable[Finding]:
        for node in _of(context, "exception_never_retrieved"):
            error = node.attributes.get(semconv.PROBLEM_EXCEPTION)
            with_what = f" with {error}" if isinstance(error, str) and error else ""
            title = f"{node.name or 'a task'} failed{with_what}{_times(context, node)} and nobody looked"
            yield about(self, node, title, node.created_at, node.source)
