# SPDX-License-Identifier: Apache-2.0
"""When Python looks for garbage in circles: while it does, no thread runs, and with a large graph that takes long.

Nearly all that the collector makes is freed without it: rows, nodes and edges form no circles. So the oldest generation
is looked through seldom and when nothing is being worked on, instead of whenever many objects were made.
"""

from __future__ import annotations

import gc

_YOUNG = (10_000, 20, 1_000_000)  # the oldest: never by itself
_SPACING_S = 600.0
_AT_LAST_S = 3600.0


class Garbage:
    """On one thread. `postpone` changes the whole process."""

    def __init__(self, now_s: float) -> None:
        self._last_s = now_s

    def postpone(self) -> None:
        gc.collect()
        gc.freeze()  # what was loaded stays
        gc.set_threshold(*_YOUNG)

    def collect_if_due(self, now_s: float, idle: bool) -> bool:
        """All of it, where ten minutes have passed and nobody waits for an answer, or an hour."""
        age_s = now_s - self._last_s
        if age_s < _SPACING_S or (age_s < _AT_LAST_S and not idle):
            return False
        gc.collect()
        self._last_s = now_s
        return True
