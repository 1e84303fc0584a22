# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
"""Batches of columns are put together without a change of what is in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from peeps_collector.store.arrow_columns import constant, numbers, together, words

TEXTS = st.lists(st.one_of(st.none(), st.sampled_from(["", "a", "b\u00e9"])), min_size=1, max_size=6)


def batch_of(value: str | None, indices: list[int], of: tuple[str, ...]) -> Any:
    size = len(indices)
    columns = [constant(value, size), words(np.array(indices, np.int64), of), numbers(np.arange(size, dtype=np.int64))]
    return pa.record_batch(columns, names=["constant", "word", "number"])


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([None, "", "x", "y"]), st.lists(st.integers(0, 1), max_size=5)), min_size=1))
def test_batches_with_other_words_are_one_piece_of_the_same_rows(told: list[tuple[str | None, list[int]]]) -> None:
    batches = [
        batch_of(value, indices, ("left", "right") if number % 2 else ("right", "up"))
        for number, (value, indices) in enumerate(told)
    ]
    table = together(batches)
    assert table.to_pylist() == [row for batch in batches for row in batch.to_pylist()]
    assert all(column.num_chunks <= 1 for column in table.columns)


@settings(deadline=None)
@given(TEXTS, st.integers(0, 3))
def test_a_constant_is_itself_in_every_row(values: list[str | None], rows: int) -> None:
    for value in values:
        assert constant(value, rows).to_pylist() == [value] * rows
