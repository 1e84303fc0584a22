# SPDX-License-Identifier: Apache-2.0
"""Rows of one table on their way to the database, in the two forms they come in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .schema import Row


class TableRows:
    """Rows in the order of the columns, and Arrow record batches with all columns (store/arrow_columns.py).

    The order of arrival is kept among the rows and those batches that have the plain types of the columns.
    """

    def __init__(self) -> None:
        self.parts: list[list[Row] | Any] = []
        """Lists of rows, and record batches."""
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def tuples(self) -> list[Row]:
        return [row for part in self.parts if isinstance(part, list) for row in part]

    @property
    def batches(self) -> list[Any]:
        return [part for part in self.parts if not isinstance(part, list)]

    def add(self, rows: Iterable[Row]) -> None:
        some = list(rows)
        self._size += len(some)
        if self.parts and isinstance(self.parts[-1], list):
            self.parts[-1] += some
        elif some:
            self.parts.append(some)

    def add_batch(self, batch: Any) -> None:
        self._size += batch.num_rows
        self.parts.append(batch)

    def extend(self, other: TableRows) -> None:
        for part in other.parts:
            if isinstance(part, list):
                self.add(part)
            else:
                self.add_batch(part)


Rows = dict[str, TableRows]
"""By the name of the table."""


def rows_of(table: str, rows: Sequence[Row]) -> Rows:
    found: Rows = {}
    add_rows(found, table, rows)
    return found


def add_rows(to: Rows, table: str, rows: Iterable[Row] = (), batch: Any = None) -> None:
    known = to.setdefault(table, TableRows())
    known.add(rows)
    if batch is not None:
        known.add_batch(batch)
