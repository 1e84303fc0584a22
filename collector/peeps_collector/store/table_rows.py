# SPDX-License-Identifier: Apache-2.0
"""Rows of one table on their way to the database, in the two forms they come in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .schema import Row


@dataclass(slots=True)
class Part:
    """Either rows or an Arrow record batch."""

    rows: list[Row] = field(default_factory=list[Row])
    batch: Any = None


class TableRows:
    """Rows in the order of the columns, and Arrow record batches with all columns (store/arrow_columns.py).

    The order of arrival is kept among the rows and those batches that have the plain types of the columns.
    """

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def tuples(self) -> list[Row]:
        return [row for part in self.parts for row in part.rows]

    @property
    def batches(self) -> list[Any]:
        return [part.batch for part in self.parts if part.batch is not None]

    def add(self, rows: Iterable[Row]) -> None:
        some = list(rows)
        self._size += len(some)
        if self.parts and self.parts[-1].batch is None:
            self.parts[-1].rows += some
        elif some:
            self.parts.append(Part(some))

    def add_batch(self, batch: Any) -> None:
        self._size += batch.num_rows
        self.parts.append(Part(batch=batch))

    def extend(self, other: TableRows) -> None:
        for part in other.parts:
            if part.batch is None:
                self.add(part.rows)
            else:
                self.add_batch(part.batch)


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
