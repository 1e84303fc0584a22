# SPDX-License-Identifier: Apache-2.0
"""Rows of one table on their way to the database, in the two forms they come in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .schema import Row


@dataclass(slots=True)
class TableRows:
    """`tuples`: in the order of the columns. `batches`: Arrow record batches with all columns (store/arrow_columns.py),
    all of one shape. Between the two there is no order."""

    tuples: list[Row] = field(default_factory=list[Row])
    batches: list[Any] = field(default_factory=list[Any])

    def __len__(self) -> int:
        return len(self.tuples) + sum(batch.num_rows for batch in self.batches)

    def extend(self, other: TableRows) -> None:
        self.tuples += other.tuples
        self.batches += other.batches


Rows = dict[str, TableRows]
"""By the name of the table."""


def rows_of(table: str, rows: Sequence[Row]) -> Rows:
    return {table: TableRows(list(rows))}


def add_rows(to: Rows, table: str, rows: Iterable[Row] = (), batch: Any = None) -> None:
    known = to.setdefault(table, TableRows())
    known.tuples.extend(rows)
    if batch is not None:
        known.batches.append(batch)
