# SPDX-License-Identifier: Apache-2.0
"""Tasks that were collected before their end."""

from __future__ import annotations

from collections.abc import Iterable

from ...model import FindingKind, Level
from .context import RuleContext
from .loop_errors import again, reported
from .rule import Candidate, LookRule


class TaskDestroyed(LookRule):
    """Nobody referred to the task any more, nor to what would have woken it."""

    name = "task_destroyed"
    kind = FindingKind.TASK_DESTROYED
    levels = (Level.SLOW,)
    when = "`Task was destroyed but it is pending!` was reported"
    advice = "Keep a reference to every task until it ends (a set, or a TaskGroup), and end what it waits for"

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        for node in reported(context, "destroyed_pending"):
            title = f"{node.name or 'a task'} was destroyed before it ended{again(context, node)}"
            yield self.about(node, title, node.created_at, node.source)
