# SPDX-License-Identifier: Apache-2.0
"""How long the last transactions took: what a sender waits behind where the database does not keep up."""

from __future__ import annotations

import threading
from collections import deque

_KEPT = 1000


class CommitTimes:
    """Of the last 1000. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: deque[float] = deque(maxlen=_KEPT)

    def add(self, seconds: float) -> None:
        with self._lock:
            self._seconds.append(seconds)

    def status(self) -> dict[str, float | int]:
        """`count`, and in milliseconds `p50`, `p99` and `most`, where there are any."""
        with self._lock:
            known = sorted(self._seconds)
        if not known:
            return {"count": 0}

        def at(share: float) -> float:
            return round(known[min(int(share * len(known)), len(known) - 1)] * 1000, 1)

        return {"count": len(known), "p50": at(0.5), "p99": at(0.99), "most": at(1.0)}
