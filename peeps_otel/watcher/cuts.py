# SPDX-License-Identifier: Apache-2.0
"""A complete snapshot on request: whoever asked hears which one it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..model import Snapshot

OnSnapshot = Callable[[Snapshot], None]
_MOST = 100


class Cuts:
    """`request` from any thread; the others on the watcher's."""

    def __init__(self) -> None:
        self._new: deque[OnSnapshot] = deque(maxlen=_MOST)
        self._pending: list[OnSnapshot] = []

    def request(self, taken: OnSnapshot) -> None:
        """`taken` is called on the watcher's thread, with a complete snapshot of a look that began after this call and
        once it was handed on."""
        self._new.append(taken)

    def before_look(self) -> bool:
        """Whether the snapshot of the look that begins must be complete."""
        while self._new:
            self._pending.append(self._new.popleft())
        return bool(self._pending)

    def after_look(self, snapshot: Snapshot) -> None:
        pending, self._pending = self._pending, []
        for taken in pending:
            taken(snapshot)
