# SPDX-License-Identifier: Apache-2.0
"""Rows on their way to the writer. Bounded by telling senders to come again, not by dropping: see `full`."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from .schema import Row
from .table_rows import Rows, TableRows, rows_of


class RowBuffer:
    """Rows by table, in order of arrival. Thread-safe. From `limit` on it is `full`, but takes what still comes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._rows: Rows = {}
        self._requests: list[int] = []
        self._size = 0
        self._kept = 0
        self.dropped = 0
        """Rows that the database refused for what is in them."""

    @property
    def full(self) -> bool:
        """Whether the database does not keep up."""
        return self._size + self._kept >= self._limit

    @property
    def pending(self) -> int:
        """Rows that have not been taken."""
        return self._size

    @property
    def unstored(self) -> int:
        """Rows that have not been taken, and those that are being written."""
        with self._lock:
            return self._size + self._kept

    def add(self, table: str, rows: Sequence[Row]) -> None:
        if rows:
            self.add_request(rows_of(table, rows))

    def add_request(self, tables: Rows, request: int = 0) -> None:
        """All rows of a request, and its number in the journal: both are committed together, or neither is."""
        with self._lock:
            for table, rows in tables.items():
                self._rows.setdefault(table, TableRows()).extend(rows)
                self._size += len(rows)
            if request:
                self._requests.append(request)

    def take(self) -> tuple[Rows, list[int]]:
        """Everything so far, and the requests it is of; the buffer is then empty. They count as kept until `stored`."""
        with self._lock:
            rows, self._rows = self._rows, {}
            requests, self._requests = self._requests, []
            self._kept, self._size = self._kept + self._size, 0
            return rows, requests

    def stored(self, lost: int = 0) -> None:
        """What was taken is in the database but for `lost` rows, which it refused."""
        with self._lock:
            self._kept = 0
            self.dropped += lost
