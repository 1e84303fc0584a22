# SPDX-License-Identifier: Apache-2.0
"""The history of tasks as samples show it: steps that take long, and tasks that never wait for anything.

Its error: a step is told from its first to its last sample, so it lasted longer, by two samples at most; a step shorter
than a sample is seldom seen at all. All durations are lower bounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from weakref import ref

from ..probes import runtime
from ..probes.identity import Identities
from .stalls import LoopWatch

_TASKS_MOST = 4096
_SPINNERS_MOST = 256
_ENOUGH = 20  # samples before anything is said


@dataclass(slots=True)
class StepHistory:
    """Of one task; durations in nanoseconds.

    `samples`, `without_future`: of a task that each look finds due for a step, how often it was sampled in between
    while its loop came round, and how often it waited for nothing then.
    """

    longest_ns: int = 0
    total_ns: int = 0
    samples: int = 0
    without_future: int = 0

    @property
    def self_wakes_percent(self) -> int | None:
        """In how many of a hundred samples the task waited for nothing; None: too few samples."""
        return None if self.samples < _ENOUGH else 100 * self.without_future // self.samples


class Steps:
    """For the sampling thread only; keeps weak references."""

    def __init__(self) -> None:
        self._known: Identities[StepHistory] = Identities()
        self._spinning: list[ref[Any]] = []

    def all(self) -> list[tuple[Any, StepHistory]]:
        """The living tasks that were ever seen in a step or due for one, with their history."""
        return [(task, history) for reference, history in self._known.records() if (task := reference()) is not None]

    def sampled(self, watches: Iterable[LoopWatch], now_ns: int) -> None:
        """Takes in one sample. `now_ns`: monotonic."""
        stands: set[int] = set()
        for watch in watches:
            if watch.asleep_since_ns or (watch.ident is None and not watch.foreign):
                stands.add(id(watch.loop()))  # it does not come round, or nobody turns it
            if not watch.since_ns:
                continue
            if watch.stalled_for(now_ns):
                stands.add(id(watch.loop()))
            task = None if watch.task is None else watch.task()
            history = None if task is None else self._of(task)
            if history is not None:
                lasted = watch.lasted_ns(now_ns)
                history.longest_ns = max(history.longest_ns, lasted)
                history.total_ns += lasted - watch.counted_ns
                watch.counted_ns = lasted
        for reference in self._spinning:
            task = reference()
            history = None if task is None else self._known.get(task)
            if task is None or history is None or id(task.get_loop()) in stands:
                continue
            history.samples += 1
            history.without_future += runtime.awaited_future(task) is None

    def looked(self, due: Iterable[Any]) -> None:
        """`due`: the tasks that a look found waiting for nothing. They are watched from now on, for as long as that is
        what samples find as well."""
        self._known.forget_dead()
        spinning: list[ref[Any]] = []
        for task in due:
            history = self._of(task)
            if history is None or len(spinning) >= _SPINNERS_MOST:
                break
            spinning.append(ref(task))
        for reference in self._spinning:
            task = reference()
            history = None if task is None else self._known.get(task)
            if history is not None and not any(other() is task for other in spinning):
                history.samples = history.without_future = 0  # it does wait
        self._spinning = spinning

    def _of(self, task: Any) -> StepHistory | None:
        history = self._known.get(task)
        if history is None and len(self._known) < _TASKS_MOST:
            history = StepHistory()
            if not self._known.put(task, history):
                return None
        return history
