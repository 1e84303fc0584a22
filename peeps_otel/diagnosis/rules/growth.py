# SPDX-License-Identifier: Apache-2.0
"""Tasks that are made at one place faster than they end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from itertools import pairwise

from ...model import Finding, FindingKind, Level, finding_id
from .. import wording
from .context import RuleContext

_SITES_MOST = 1000


class TaskGrowth:
    """Counts the live tasks by where they were made, once a window."""

    kind = FindingKind.TASK_GROWTH
    level = Level.SLOW
    when = (
        "At least 100 tasks of one place are alive, more in each of 6 windows of 10 s than before, "
        "and twice as many as at the beginning"
    )
    advice = "Bound them: a semaphore, a fixed number of workers, or a TaskGroup that is left only when they are done"

    def __init__(self) -> None:
        self._counts: deque[tuple[int, Counter[str]]] = deque()
        self._growing: dict[str, tuple[int, int, str, str]] = {}  # by site: since, count, first task, its name

    def find(self, context: RuleContext) -> Iterable[Finding]:
        limits = context.thresholds
        if not self._counts or context.now_ns - self._counts[-1][0] >= limits.growth_window_ns:
            self._count(context)
        for source, (since_ns, count, task, name) in self._growing.items():
            yield Finding(
                id=finding_id(self.kind, [source]),
                kind=self.kind,
                level=self.level,
                title=f"more and more tasks are made at {wording.short(source)} and do not end (such as {name})",
                since_ns=since_ns,
                core=[task],
                advice=f"{wording.count(count, 'task')} of this place are alive. {self.advice}.",
                look_at=source,
            )

    def _count(self, context: RuleContext) -> None:
        limits = context.thresholds
        counts: Counter[str] = Counter(task.source for task in context.tasks)
        if len(counts) > _SITES_MOST:
            counts = Counter(dict(counts.most_common(_SITES_MOST)))
        self._counts.append((context.now_ns, counts))
        while len(self._counts) > limits.growth_windows + 1:
            self._counts.popleft()
        self._growing = {}
        if len(self._counts) <= limits.growth_windows:
            return
        for source, count in counts.items():
            series = [past[source] for _, past in self._counts]
            rises = all(later > earlier for earlier, later in pairwise(series))
            if count >= limits.growth_count and rises and count >= limits.growth_factor * max(series[0], 1):
                first = min((t for t in context.tasks if t.source == source), key=lambda t: (t.created_at, t.id))
                self._growing[source] = (self._counts[0][0], count, first.id, first.name)
