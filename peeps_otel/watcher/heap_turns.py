# SPDX-License-Identifier: Apache-2.0
"""At which looks it is worth finding out whether there is something to ask the heap.

That follows from who waits, and from how long. While nobody moves, nothing new settles after a while: then it need not
be found out at each look, for of ten thousand waits it costs as much as the rest of the look.
"""

from __future__ import annotations

from collections.abc import Set

_MARGIN_NS = 1_000_000_000
_AGAIN_NS = 5_000_000_000


class HeapTurns:
    """`request` from any thread, `has_come` on the watcher's, once a look."""

    def __init__(self) -> None:
        self._wanted = False
        self._changed_ns = self._last_ns = 0

    def request(self) -> None:
        """Somebody asks: the next look has its turn."""
        self._wanted = True

    def has_come(self, changed: Set[str] | None, now_ns: int, settled_ns: int) -> bool:
        """`changed`: of those who wait, None: any may be. `now_ns`: by one monotonic clock; `settled_ns`: as
        old a wait must be."""
        wanted, self._wanted = self._wanted, False
        if changed is None or changed:
            self._changed_ns = now_ns
        come = wanted or now_ns - self._changed_ns <= settled_ns + _MARGIN_NS or now_ns - self._last_ns >= _AGAIN_NS
        if come:
            self._last_ns = now_ns
        return come
