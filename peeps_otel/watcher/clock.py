# SPDX-License-Identifier: Apache-2.0
"""What time it is for the watcher, and how it waits. One clock for its looks, samples and budgets; a test may step it.

What something cost is always asked of the system: processor time, and how long a look took.
"""

from __future__ import annotations

import time
from typing import Protocol

from .. import native


class Clock(Protocol):
    """`wait` is called on the watcher's thread, the others from any."""

    def time_ns(self) -> int:
        """Unix time."""
        ...

    def monotonic_ns(self) -> int: ...

    def wait(self, event: native.Event, timeout_s: float) -> bool:
        """Whether the event is set, at the end of the wait."""
        ...


class SystemClock:
    """Asks `time` each time: in a copy that `peeps attach` looks at its clocks are put back."""

    @staticmethod
    def time_ns() -> int:
        return time.time_ns()

    @staticmethod
    def monotonic_ns() -> int:
        return time.monotonic_ns()

    @staticmethod
    def wait(event: native.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s)


SYSTEM_CLOCK: Clock = SystemClock()
