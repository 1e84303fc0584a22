# SPDX-License-Identifier: Apache-2.0
"""How a look is stretched: it lets the others run, takes the samples that fall into it, and waits for its budget."""

from __future__ import annotations

import time
from collections.abc import Callable

from .. import native
from .clock import Clock
from .governor import Governor
from .sampling import Sampling

_TURN_NS = 200_000  # a look keeps the interpreter so long at least before it lets others have it
_STEPS = 4
_LEAST_NS = 1_000_000
_WAIT_MOST_NS = 250_000_000  # at a time, for somebody may begin to look


class Pace:
    """For the watcher's thread only. `spent_ns`: processor time of all that the governor has to hold in bounds;
    `stopping`: ends the waits. `beside`: is called now and then, for what is done meanwhile."""

    def __init__(
        self,
        governor: Governor,
        sampling: Sampling,
        spent_ns: Callable[[], int],
        stopping: native.Event,
        clock: Clock,
        beside: Callable[[], object] = lambda: None,
    ) -> None:
        self._governor = governor
        self._sampling = sampling
        self._spent_ns = spent_ns
        self._stopping = stopping
        self._clock = clock
        self._beside = beside
        self._paused_ns = 0  # by the performance counter
        self._steps = 0
        self.waited_ns = 0
        """For how long the look at hand has waited for its budget."""

    def begin(self) -> None:
        """A look begins."""
        self.waited_ns = 0

    def pause(self) -> None:
        """Lets the other threads run, in the middle of a look; takes the sample that is due."""
        native.sleep(0)
        self._paused_ns = time.perf_counter_ns()
        self._sample_if_due()
        self._beside()

    def keep(self) -> None:
        """The same, and waits where the budget is spent. Not while an object of the program is in anybody's hands."""
        if time.perf_counter_ns() - self._paused_ns < _TURN_NS:
            return  # most steps of a look at a small program are far shorter than giving the interpreter up takes
        self.pause()
        wait_ns = self._owed_ns()
        if not wait_ns or self._stopping.is_set():
            return
        began_ns = self._clock.monotonic_ns()
        ends_ns = began_ns - self.waited_ns + self._governor.patience_ns
        while wait_ns and not self._stopping.is_set() and self._clock.monotonic_ns() < ends_ns:
            now_ns = self._clock.monotonic_ns()
            wait_ns = self._sampling.before(now_ns + min(wait_ns, _WAIT_MOST_NS)) - now_ns
            self._clock.wait(self._stopping, max(_LEAST_NS, wait_ns) / 1e9)
            self._sample_if_due()
            self._beside()
            wait_ns = self._owed_ns()
        self.waited_ns += self._clock.monotonic_ns() - began_ns

    def step(self) -> None:
        """The same of a step so small that asking for the time would be much of it: a few of them are one."""
        self._steps += 1
        if self._steps >= _STEPS:
            self._steps = 0
            self.keep()

    def _sample_if_due(self) -> None:
        if self._sampling.is_due(self._clock.monotonic_ns()):
            self._sampling.sample(self._governor.sampling_ns)

    def _owed_ns(self) -> int:
        return self._governor.wait_ns(self._clock.monotonic_ns(), self._spent_ns())
