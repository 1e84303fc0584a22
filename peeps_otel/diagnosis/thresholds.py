# SPDX-License-Identifier: Apache-2.0
"""Every number a verdict depends on, in one place."""

from __future__ import annotations

from dataclasses import dataclass

_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All durations in nanoseconds. docs/findings.md shows them beside the rules that use them.

    `settle_ns`: a wait younger than this is no member of anything: it may be a hand-over that a look fell into.
    `could_end_ns`: the same for a verdict that rests on what the heap says of the remaining code of those who could end
    a wait.
    `starved_ns`: how long a waiter must have waited for a full channel, a lock or a semaphore before its starvation is
    worth a word. `history_factor`: and how many times longer than the longest wait that ever ended at the same site.
    `lost_wakeup_ns`: how long something must have been free while somebody waits for it.
    `held_ns`: how long a lock must be held, and waited for, before its holder's slow wait is worth a word.
    `loop_blocked_ns`, `step_ns`: how long a loop, or one step of a task, may take.
    `self_wakes_percent`: in how many samples of a task it was runnable without having waited for anything.
    `cancel_slow_ns`, `cancel_ignored_ns`: how long a cancelled task may clean up (SLOW), until it is stuck (SUSPECT).
    `not_drained_ns`: how long `join()` may see a channel unchanged. `saturated_ns`: how long work may stay queued
    behind busy workers. `long_ns`, `long_factor`, `long_seen`: a wait for what the program itself must end is too
    long when it takes so long, and so many times the longest of at least so many at its line. `growth_count`,
    `growth_window_ns`, `growth_windows`, `growth_factor`: the tasks of one place are at least so many, have become
    more in each of so many windows in a row, and have multiplied by the factor meanwhile.
    """

    settle_ns: int = _SECOND // 20
    could_end_ns: int = 10 * _SECOND
    starved_ns: int = 2 * _SECOND
    history_factor: int = 3
    lost_wakeup_ns: int = 2 * _SECOND
    held_ns: int = 2 * _SECOND
    loop_blocked_ns: int = 8 * _SECOND // 10
    step_ns: int = _SECOND
    self_wakes_percent: int = 50
    cancel_slow_ns: int = 5 * _SECOND
    cancel_ignored_ns: int = 30 * _SECOND
    not_drained_ns: int = 30 * _SECOND
    saturated_ns: int = 5 * _SECOND
    long_ns: int = 5 * _SECOND
    long_factor: int = 5
    long_seen: int = 2
    growth_count: int = 100
    growth_window_ns: int = 10 * _SECOND
    growth_windows: int = 6
    growth_factor: int = 2
