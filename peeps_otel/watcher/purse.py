# SPDX-License-Identifier: Apache-2.0
"""The processor time that may be spent now: a bucket that fills at the rate of the budget, and a bound on any minute.

In the first ten seconds of a process two looks at everything there is must be paid for, so the bucket fills fast; where
they are not done by then it goes on doing so, for a minute at most. After that, what is spent in any sixty seconds is
at most what fills it in that time and what it can hold, which together are the budget. Work that finds it empty waits:
it is cut where the caller asks, however long a look takes then.
"""

from __future__ import annotations

START_NS = 10_000_000_000
START_MOST_NS = 60_000_000_000
_FIRST_LOOKS = 2  # nothing is said before the second
START_SHARE = 0.25  # of one core
_RATE = 0.75  # of the budget: what else runs for us (threads of exporters) has the rest
_HOLDS_NS = 6_000_000_000  # it holds what the whole budget gives in this time
_SLICES = 20  # of what it holds: so much is saved before work goes on


class Purse:
    """For the watcher thread only. `share`: of one core, 0: no limit. All times in nanoseconds of one monotonic clock,
    `spent_ns`: the processor time of everything of ours since the process began."""

    def __init__(self, share: float, now_ns: int) -> None:
        self._share = share
        self._begun_ns = self._last_ns = now_ns
        self._spent_ns: int | None = None
        self._holds_ns = share * _HOLDS_NS
        self._left_ns = self._holds_ns
        self._looks = 0

    def wait_ns(self, now_ns: int, spent_ns: int, factor: float = 1.0) -> int:
        """How long to wait before more is spent; 0: go on. `factor`: how many times the budget may be spent now."""
        if not self._share:
            return 0
        rate = max(START_SHARE, self._share) if self.is_starting(now_ns) else self._share * _RATE * factor
        before = spent_ns if self._spent_ns is None else self._spent_ns
        # A sleep ends late at times: what it would have filled beyond the brim is lost.
        self._left_ns = min(self._holds_ns, self._left_ns + (now_ns - self._last_ns) * rate) - (spent_ns - before)
        self._last_ns, self._spent_ns = now_ns, spent_ns
        if self._left_ns > 0:
            return 0
        return int((self._holds_ns / _SLICES - self._left_ns) / rate)

    def looked(self) -> None:
        """A look is done."""
        self._looks += 1

    def is_starting(self, now_ns: int) -> bool:
        most_ns = START_NS if self._looks >= _FIRST_LOOKS else START_MOST_NS
        return now_ns < self._begun_ns + most_ns

    @property
    def sustained(self) -> float:
        """The share of one core that may be spent for good."""
        return self._share * _RATE
