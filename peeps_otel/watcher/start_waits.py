# SPDX-License-Identifier: Apache-2.0
"""Waits that began with a program that is busy with other things: of those, the heap is asked later.

A server's main task waits for its end, a worker for its first job, for as long as the program lives. Nobody moves
there, so each such server would have its heap asked as soon as it serves, which takes as long as thousands of
requests. Where the program is idle, as one that is stuck is, the time is nobody's, and it is asked at once.
"""

from __future__ import annotations

import time

_BEGINNING_NS = 10_000_000_000
_SETTLED_NS = 60_000_000_000
_BUSY = 0.03  # of a core: where others compute too, a busy program gets little


class StartWaits:
    """For the watcher thread only. `began_ns`: Unix time, when watching began."""

    def __init__(self, began_ns: int) -> None:
        self._began_ns = began_ns
        self._last_ns = self._spent_ns = 0
        self.is_busy = False
        """Whether the program has computed between the last two looks."""

    def look(self, now_ns: int, spent_ns: int | None = None) -> None:
        """At each look. `now_ns`: monotonic; `spent_ns`: processor time of the process without this thread, None: it
        is to be found out."""
        if spent_ns is None:
            spent_ns = time.process_time_ns() - time.thread_time_ns()
        passed_ns, used_ns = now_ns - self._last_ns, spent_ns - self._spent_ns
        self.is_busy = self._last_ns > 0 and used_ns > _BUSY * passed_ns
        self._last_ns, self._spent_ns = now_ns, spent_ns

    def can_be_later(self, since_ns: int, now_ns: int) -> bool:
        """Whether a wait that began then need not be asked about now. Unix time."""
        return self.is_busy and since_ns < self._began_ns + _BEGINNING_NS and now_ns - since_ns < _SETTLED_NS
