# SPDX-License-Identifier: Apache-2.0
"""What a leak proof brings. Apart from what makes one, which is loaded when the first is asked for."""

from __future__ import annotations

from typing import NamedTuple


class LostTask(NamedTuple):
    """Addresses of a task and of what it is suspended on. `sure`: proven; otherwise some timer might end its wait, or
    the program went on while it was looked at. `dying`: nobody holds the task itself either."""

    task: int
    future: int
    sure: bool
    dying: bool


class LeakReport(NamedTuple):
    """What a check brought. `not_run`: why there was none, empty where there was. `in_process`: no copy could be made,
    and why; empty for a copy. Durations in nanoseconds; `pause_ns`: how long the program stood still while the copy was
    made, None without a copy."""

    lost: list[LostTask]
    blocked: int = 0
    objects: int = 0
    duration_ns: int = 0
    pause_ns: int | None = None
    in_process: str = ""
    not_run: str = ""
