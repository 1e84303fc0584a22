# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
"""Rows to Arrow tables and Arrow results to bytes and rows: the only place that knows pyarrow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from typing import Any

import pyarrow as pa

from .schema import Row, Table

_BATCH_ROWS = 10_000
_AT_ONCE = 1000
_TYPES: dict[str, Any] = {
    "VARCHAR": pa.string(),
    "JSON": pa.string(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR[]": pa.list_(pa.string()),
}


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def leave_pandas_out() -> None:
    """PyArrow imports pandas, where that is installed (the explorer brings it), before it makes its first array and
    before it first finds out a type, to know pandas' own when it sees them. That is a quarter of a second and 50 MB,
    and a process of ours has nothing of pandas. To be called before the first array, in such a process alone; who asks
    PyArrow for a data frame later still gets it."""
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([""])  # of a type that is to be found out
    finally:
        sys.meta_path.remove(finder)


def to_arrow(table: Table, rows: Sequence[Row]) -> tuple[Any, int]:
    """An Arrow table of `rows`, and how many rows had to be left out because a value does not fit its column."""
    types = [_TYPES[kind] for kind in table.columns.values()]
    try:
        return _build(table, types, rows), 0
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
        good = [row for row in rows if _fits(types, row)]
        return _build(table, types, good), len(rows) - len(good)


def _build(table: Table, types: list[Any], rows: Sequence[Row]) -> Any:
    """In batches: while pyarrow makes an array, no other thread runs."""
    schema = pa.schema(list(zip(table.columns, types, strict=True)))
    batches: list[Any] = []
    for start in range(0, len(rows), _AT_ONCE):
        columns = zip(*rows[start : start + _AT_ONCE], strict=True)
        arrays = [pa.array(values, type=kind) for values, kind in zip(columns, types, strict=True)]
        batches.append(pa.record_batch(arrays, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def _fits(types: list[Any], row: Row) -> bool:
    try:
        for value, kind in zip(row, types, strict=True):
            pa.array([value], type=kind)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
        return False
    return True


def batches_of(relation: Any) -> Any:
    """A lazy reader of a DuckDB relation; the method has another name before DuckDB 2."""
    read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    return read(_BATCH_ROWS)


def to_ipc(table: Any) -> bytes:
    """An Arrow table as an IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def from_ipc(content: bytes) -> Any:
    """The Arrow table of an IPC stream. Raises ValueError."""
    return pa.ipc.open_stream(content).read_all()


def rows_of_ipc(content: bytes) -> list[list[Any]]:
    """The rows of an IPC stream, as plain Python values."""
    batches = from_ipc(content).to_batches()
    return [list(row) for batch in batches for row in zip(*(one.to_pylist() for one in batch.columns), strict=True)]


class ResultTooLarge(ValueError):
    """More bytes than allowed."""


class Result:
    """The rows of a query, at most `limit` of them and at most `limit_bytes`. Raises ResultTooLarge."""

    def __init__(self, reader: Any, limit: int, limit_bytes: int) -> None:
        self.truncated = False
        self._schema = reader.schema
        self._batches: list[Any] = []
        rows = size = 0
        for batch in reader:
            if rows + batch.num_rows > limit:
                batch = batch.slice(0, limit - rows)
                self.truncated = True
            size += batch.get_total_buffer_size() if not self.truncated else batch.nbytes
            if size > limit_bytes:
                raise ResultTooLarge(
                    f"the result is larger than {limit_bytes} bytes; select fewer columns, aggregate, or add LIMIT"
                )
            rows += batch.num_rows
            self._batches.append(batch)
            if self.truncated:
                break

    def ipc(self) -> bytes:
        """An Arrow IPC stream."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self._schema) as stream:
            for batch in self._batches:
                stream.write_batch(batch)
        return sink.getvalue().to_pybytes()

    def rows(self) -> list[list[Any]]:
        """Plain Python values, row by row."""
        rows: list[list[Any]] = []
        for batch in self._batches:
            # Column by column: names may repeat in a result.
            rows += [list(row) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)]
        return rows
