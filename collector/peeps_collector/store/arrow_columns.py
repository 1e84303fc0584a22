# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
"""Arrow columns from buffers and numbers: for rows that never were Python objects."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from .schema import Table

_ONE_PIECE_BYTES = 256 << 20
_CONSTANTS_KEPT = 512
_ROWS_KEPT = 10_000  # so that all of them are 20 MB at most, whatever is sent
Numbers: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def strings(offsets: Numbers, data: Numbers, valid: Numbers | None = None) -> Any:
    """`offsets`: int32, one more than rows, into the UTF-8 bytes `data`. `valid`: bool; None: all are."""
    mask = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data), mask)


def numbers(values: Numbers, valid: Numbers | None = None) -> Any:
    """`values`: int64."""
    return pa.array(values, mask=None if valid is None else ~valid)


def words(indices: Numbers, of: tuple[str, ...]) -> Any:
    """The word of each index."""
    return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), _dictionary(of))


def constant(value: str | None, rows: int) -> Any:
    """One text, or null, in every row. Kept, where there are few: the requests of one sender have the same ones."""
    return (_kept_constant if rows <= _ROWS_KEPT else _constant)(value, rows)


def _constant(value: str | None, rows: int) -> Any:
    indices = pa.nulls(rows, pa.int32()) if value is None else pa.array(np.zeros(rows, np.int32))
    return pa.DictionaryArray.from_arrays(indices, _dictionary((value or "",)))


_kept_constant = lru_cache(maxsize=_CONSTANTS_KEPT)(_constant)


@lru_cache(maxsize=_CONSTANTS_KEPT)
def _dictionary(of: tuple[str, ...]) -> Any:
    return pa.array(of, pa.string())


def batch(table: Table, columns: dict[str, Any]) -> Any:
    """A record batch of `table`. Raises KeyError where a column is missing."""
    return pa.record_batch([columns[name] for name in table.columns], names=list(table.columns))


def together(batches: list[Any]) -> Any:
    """One table of batches that are of one shape, in one piece: DuckDB takes a piece in vectors of 2,048 rows, the last
    of which is seldom full; and what it was given in many small pieces it writes a second time at the checkpoint, even
    where there were enough rows to write them straight into the file."""
    table = pa.Table.from_batches(batches)
    if len(batches) < 2 or table.nbytes > _ONE_PIECE_BYTES:  # the offsets of its texts have 32 bits
        return table
    return table.unify_dictionaries().combine_chunks()
