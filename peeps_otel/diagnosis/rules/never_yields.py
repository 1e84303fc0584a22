# SPDX-License-Identifier: Apache-2.0
"""Tasks that do not give their event loop back."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level
from .. import wording
from ..frames import place
from .context import RuleContext
from .rule import Candidate, LookRule
from .tunable import seconds


class NeverYields(LookRule):
    """A task has been in one step for too long, on a loop whose thread is not known."""

    name = "never_yields"
    kind = FindingKind.NEVER_YIELDS
    levels = (Level.SUSPECT,)
    when = "A task has been in one step for {step}, and the thread of its loop is not seen"
    advice = "Give the loop a turn (`await asyncio.sleep(0)`), or compute in a thread or process"
    marks = frozenset({semconv.TASK_STEP_SINCE})

    step = seconds(1, "how long one step of a task may take")

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        for task in context.marked:
            since_ns = context.number(task, semconv.TASK_STEP_SINCE)
            if since_ns is None or context.now_ns - since_ns < self.step or task.id in context.explained:
                continue
            yield self.about(task, f"{wording.label(task)} does not give its event loop back", since_ns, place(task))
