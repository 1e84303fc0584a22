# SPDX-License-Identifier: Apache-2.0
"""When to look next."""

from __future__ import annotations

_EAGER_NS = 5_000_000_000
_EAGER_INTERVAL_NS = 250_000_000
_CONFIRM_NS = 100_000_000


class Clock:
    """The interval between looks: shorter in the first seconds, and once when a first look saw something suspicious.

    A program that hangs often does so right after its start, and a verdict takes two looks.
    """

    def __init__(self, interval_ns: int, started_ns: int) -> None:
        self.interval_ns = interval_ns
        self._eager_until_ns = started_ns + _EAGER_NS

    def next_ns(self, now_ns: int, suspicious: bool) -> int:
        """Nanoseconds until the next look. `now_ns`, `started_ns`: any one clock."""
        interval = self.interval_ns
        if now_ns < self._eager_until_ns:
            interval = min(interval, _EAGER_INTERVAL_NS)
        return min(interval, _CONFIRM_NS) if suspicious else interval
