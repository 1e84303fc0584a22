# SPDX-License-Identifier: Apache-2.0
"""When samples are taken, and what they have cost."""

from __future__ import annotations

import time

from .clock import Clock
from .sampler import Sampler

_CLOCKS_NS = 1_000_000  # two clocks may differ by this much
_MANY = 200  # samples, after which the average is that of late


class Sampling:
    """For the watcher's thread only. `period_ns`: between two samples, 0: none are taken."""

    def __init__(self, sampler: Sampler | None, period_ns: int, clock: Clock) -> None:
        self._sampler = sampler
        self._clock = clock
        self.period_ns = 0 if sampler is None else period_ns
        self.due_ns = clock.monotonic_ns()
        self.spent_ns = 0
        """Processor time of all samples."""
        self._samples = 0
        self._of_these_ns = 0
        self._told: set[int] = set()

    @property
    def on(self) -> bool:
        return self.period_ns > 0

    def is_due(self, now_ns: int) -> bool:
        return self.on and now_ns >= self.due_ns

    def before(self, due_ns: int) -> int:
        """The earlier of the next sample and this time."""
        return min(due_ns, self.due_ns) if self.on else due_ns

    def sample(self, period_ns: int) -> None:
        """At absolute times, so that what a sample costs does not slow down the next. `period_ns`: until it; 0: as
        asked for."""
        assert self._sampler is not None
        cpu_ns = time.thread_time_ns()
        self.due_ns = max(self.due_ns + (period_ns or self.period_ns), self._clock.monotonic_ns())
        self._sampler.sample()
        cost_ns = time.thread_time_ns() - cpu_ns
        self._samples += 1
        self._of_these_ns += cost_ns
        self.spent_ns += cost_ns

    def each_ns(self) -> int:
        """Processor time of a sample, of late."""
        each_ns = self._of_these_ns // self._samples if self._samples else 0
        if self._samples > _MANY:
            self._samples, self._of_these_ns = _MANY // 2, _MANY // 2 * each_ns
        return each_ns

    def new_stall(self, least_ns: int) -> bool:
        """Whether a loop has been stalled for so long and that is worth a look that has not been taken."""
        assert self._sampler is not None
        now_ns = self._clock.monotonic_ns()
        least_ns += _CLOCKS_NS
        stalled = {watch.since_ns for watch in self._sampler.watches.values() if watch.stalled_for(now_ns) >= least_ns}
        new = bool(stalled - self._told)
        self._told = stalled
        return new
