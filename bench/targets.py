# SPDX-License-Identifier: Apache-2.0
"""What we promise, and whether it is kept."""

from __future__ import annotations

from typing import NamedTuple

SERVER_CPU = 1.01
HOLD_MS = 2.0
WATCHER_CPU_MS = {10_000: 100.0, 100_000: 1000.0}
CORE_PERCENT = 1.0
RESIDENT_MB = 15.0
RESIDENT_OVER_OTEL_MB = 4.0
START_CPU_MS = 30.0
RESIDENT_PER_TASK = 200.0


class Verdict(NamedTuple):
    """`by`: how much more than the target; not positive where it is met."""

    target: float
    by: float

    @property
    def met(self) -> bool:
        return self.by <= 0

    def __str__(self) -> str:
        return "met" if self.met else f"**missed by {rounded(self.by)}**"


def verdict(value: float, target: float) -> Verdict:
    """At the precision that is shown: what reads like the target meets it."""
    return Verdict(target, round(value, _places(target)) - target)


def rounded(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"


def _places(target: float) -> int:
    return 0 if target >= 100 else 1 if target >= 10 else 2
