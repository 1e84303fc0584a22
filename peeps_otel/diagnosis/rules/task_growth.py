# SPDX-License-Identifier: Apache-2.0
"""Tasks that are made at one place faster than they end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from ...model import FindingKind, Level, Node
from .. import wording
from .context import RuleContext
from .rule import Account, Candidate, LookRule
from .tunable import number, seconds

_SITES_MOST = 1000


class _Growth(NamedTuple):
    since_ns: int
    alive: int
    task: str
    name: str


class TaskGrowth(LookRule):
    """Counts the live tasks by where they were made, once a window."""

    name = "task_growth"
    kind = FindingKind.TASK_GROWTH
    levels = (Level.SLOW,)
    when = (
        "At least {count} tasks of one place are alive, more in each of {windows} windows of {window} than before, "
        "and {factor} times as many as at the beginning"
    )
    advice = "Bound them: a semaphore, a fixed number of workers, or a TaskGroup that is left only when they are done"

    count = number(100, "how many tasks of one place there are at least")
    window = seconds(10, "between two counts")
    windows = number(6, "in how many windows in a row they have become more")
    factor = number(2, "by how much they have multiplied meanwhile")

    def __init__(self, values: dict[str, int] | None = None) -> None:
        super().__init__(values)
        self._counts: deque[tuple[int, Counter[str]]] = deque()
        self._growing: dict[str, _Growth] = {}  # by site

    def find(self, context: RuleContext) -> Iterable[Candidate]:
        if not self._counts or context.now_ns - self._counts[-1][0] >= self.window:
            self._count(context)
        for source, growth in self._growing.items():
            yield Candidate(
                kind=self.kind,
                level=self.level,
                since_ns=growth.since_ns,
                core=[growth.task],
                about=[source],
                tell=lambda source=source, growth=growth: self._tell(source, growth),
            )

    def _tell(self, source: str, growth: _Growth) -> Account:
        return Account(
            title=f"more and more tasks are made at {wording.short(source)} and do not end (such as {growth.name})",
            advice=f"{wording.count(growth.alive, 'task')} of this place are alive. {self.advice}.",
            look_at=source,
        )

    def _count(self, context: RuleContext) -> None:
        counts: Counter[str] = Counter(task.source for task in context.tasks)
        if len(counts) > _SITES_MOST:
            counts = Counter(dict(counts.most_common(_SITES_MOST)))
        self._counts.append((context.now_ns, counts))
        while len(self._counts) > self.windows + 1:
            self._counts.popleft()
        self._growing = {}
        if len(self._counts) <= self.windows:
            return
        growing: dict[str, int] = {}
        for source, count in counts.items():
            series = [past[source] for _, past in self._counts]
            rises = all(later > earlier for earlier, later in pairwise(series))
            if count >= self.count and rises and count >= self.factor * max(series[0], 1):
                growing[source] = count
        first = _first(context.tasks, growing.keys())
        for source, count in growing.items():
            self._growing[source] = _Growth(self._counts[0][0], count, first[source].id, first[source].name)


def _first(tasks: Iterable[Node], sources: Iterable[str]) -> dict[str, Node]:
    """By place: the oldest of its tasks."""
    wanted = frozenset(sources)
    found: dict[str, Node] = {}
    if not wanted:
        return found
    for task in tasks:
        if task.source in wanted:
            before = found.get(task.source)
            if before is None or (task.created_at, task.id) < (before.created_at, before.id):
                found[task.source] = task
    return found
