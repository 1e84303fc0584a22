# SPDX-License-Identifier: Apache-2.0
"""Tasks that spin."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level
from .. import wording
from ..frames import place
from .context import RuleContext
from .rule import Candidate, LookRule
from .tunable import percent


class SelfWaking(LookRule):
    """A task that asks for its next step at once, again and again."""

    name = "self_waking"
    kind = FindingKind.SELF_WAKING
    levels = (Level.SLOW,)
    when = (
        "In {due} of its samples a task is ready to run although it has waited for nothing, as in a loop of `sleep(0)`"
    )
    advice = "Wait for what the loop polls for: an event, a queue, or at least a sleep that takes time"
    marks = frozenset({semconv.TASK_SELF_WAKES})

    due = percent(50, "in how many of its samples a task is ready to run without having waited for anything")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        for task in context.marked:
            share = context.number(task, semconv.TASK_SELF_WAKES)
            if share is None or share < self.due or task.id in context.explained:
                continue
            yield self.about(task, f"{wording.label(task)} wakes itself again and again", task.created_at, place(task))
