# SPDX-License-Identifier: Apache-2.0
"""Rows on their way to the writer: bounded, so that a slow disk costs history and not memory. Loss is counted."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from .schema import Row


class RowBuffer:
    """Rows by table, in order of arrival. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._rows: dict[str, list[Row]] = {}
        self._size = 0
        self.dropped = 0
        """Rows that found no room, or that the database refused."""

    def add(self, table: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        with self._lock:
            room = self._limit - self._size
            if len(rows) > room:
                self.dropped += len(rows) - max(room, 0)
                rows = rows[: max(room, 0)]
            self._rows.setdefault(table, []).extend(rows)
            self._size += len(rows)

    def take(self) -> dict[str, list[Row]]:
        """Everything so far; the buffer is then empty."""
        with self._lock:
            rows, self._rows, self._size = self._rows, {}, 0
            return rows

    def lost(self, count: int) -> None:
        """Counts rows that the database refused."""
        with self._lock:
            self.dropped += count
