# SPDX-License-Identifier: Apache-2.0
"""Every number a verdict depends on, in one place."""

from __future__ import annotations

from dataclasses import dataclass

_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All durations in nanoseconds.

    `settle_ns`: a wait younger than this is no member of anything: it may be a hand-over that a look fell into.
    `starved_ns`: how long a waiter must have waited for a full channel, a lock or a semaphore before its starvation is
    worth a word. `history_factor`: and how many times longer than the longest wait that ever ended at the same site.
    """

    settle_ns: int = _SECOND // 20
    starved_ns: int = 2 * _SECOND
    history_factor: int = 3
