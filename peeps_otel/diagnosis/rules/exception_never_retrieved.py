# SPDX-License-Identifier: Apache-2.0
"""Failures that nobody has looked at."""

from __future__ import annotations

from collections.abc import Iterable

from ... import semconv
from ...model import FindingKind, Level
from .context import RuleContext
from .loop_errors import again, reported
from .rule import Candidate, LookRule


class ExceptionNeverRetrieved(LookRule):
    """A task or future failed and nobody has looked at its exception: who waits for its work may wait for ever."""

    name = "exception_never_retrieved"
    kind = FindingKind.EXCEPTION_NEVER_RETRIEVED
    levels = (Level.SLOW,)
    when = "`Task exception was never retrieved` was reported, also for futures"
    advice = "Await the task, or give it a callback that logs its exception"

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        for node in reported(context, "exception_never_retrieved"):
            error = node.attributes.get(semconv.PROBLEM_EXCEPTION)
            with_what = f" with {error}" if isinstance(error, str) and error else ""
            title = f"{node.name or 'a task'} failed{with_what}{again(context, node)} and nobody looked"
            yield self.about(node, title, node.created_at, node.source)
