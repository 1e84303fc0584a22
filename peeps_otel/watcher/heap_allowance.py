# SPDX-License-Identifier: Apache-2.0
"""The processor time that questions to the heap may take: saved up first, spent afterwards.

A question cannot be cut in slices, for its copy of the process keeps the memory that the program writes to meanwhile.
So one is asked only where what the last one cost has been saved, and a dear one comes rarely.
"""

from __future__ import annotations

SHARE = 0.002
"""Of one core, for good."""
_HOLDS_NS = 2_000_000_000


class HeapAllowance:
    """All times in nanoseconds, `now_ns` of one monotonic clock. For the watcher thread only.

    It is full at first, and holds two seconds, or what a question costs where that is more.
    """

    def __init__(self, now_ns: int) -> None:
        self._last_ns = now_ns
        self._left_ns = float(_HOLDS_NS)
        self.expected_ns = 0
        """What the last question cost: so much will the next one."""

    def can_pay(self, now_ns: int) -> bool:
        """Whether another question may be asked."""
        self._fill(now_ns)
        return self._left_ns >= self.expected_ns

    def pay(self, now_ns: int, cost_ns: int) -> None:
        """A question is answered. The first one, and one that a person asked for, may have cost more than there was:
        then that is saved up before the next."""
        self._fill(now_ns)
        self._left_ns -= cost_ns
        self.expected_ns = cost_ns

    def _fill(self, now_ns: int) -> None:
        holds = max(_HOLDS_NS, self.expected_ns)
        self._left_ns = min(holds, self._left_ns + SHARE * (now_ns - self._last_ns))
        self._last_ns = now_ns
