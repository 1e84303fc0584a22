# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
"""A table as a file: CSV for spreadsheets, Parquet or Arrow for everything else. Times are seconds, shares 0 to 1."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .column import Column, Type, Value

_TEXTUAL = (Type.TEXT, Type.PLACE)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def titles(columns: Sequence[Column]) -> list[str]:
    """The keys of the columns, with the unit."""
    return ["_".join((c.key, "seconds")) if c.type in (Type.SINCE, Type.DURATION) else c.key for c in columns]


def as_csv(columns: Sequence[Column], rows: Sequence[Sequence[Value]]) -> bytes:
    """A text that a spreadsheet would take for a formula begins with an apostrophe: it comes from a watched program."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(titles(columns))
    writer.writerows([[_harmless(value) for value in row] for row in rows])
    return out.getvalue().encode("utf-8", "replace")


def _harmless(value: Value) -> Value:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def as_parquet(columns: Sequence[Column], rows: Sequence[Sequence[Value]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(_table(columns, rows), out)
    return out.getvalue()


def as_arrow(columns: Sequence[Column], rows: Sequence[Sequence[Value]]) -> bytes:
    """An IPC stream."""
    table, out = _table(columns, rows), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue()


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Value]]) -> Any:
    arrays: list[pa.Array] = []
    for number, column in enumerate(columns):
        values = [row[number] for row in rows]
        if column.type in _TEXTUAL:
            texts = [None if v is None else str(v).encode("utf-8", "replace").decode() for v in values]
            arrays.append(pa.array(texts, type=pa.string()))
        else:
            arrays.append(pa.array([None if v is None else float(v) for v in values], type=pa.float64()))
    return pa.Table.from_arrays(arrays, names=titles(columns))
