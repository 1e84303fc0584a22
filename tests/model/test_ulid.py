# SPDX-License-Identifier: Apache-2.0
"""ULIDs: both directions, their order, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeps_otel.model.ulid import UlidSource, ulid_bytes, ulid_text


@given(st.binary(min_size=16, max_size=16))
def test_round_trip(raw: bytes) -> None:
    text = ulid_text(raw)
    assert len(text) == 26
    assert ulid_bytes(text) == raw


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_text_sorts_as_the_bytes(one: bytes, other: bytes) -> None:
    assert (one < other) == (ulid_text(one) < ulid_text(other))


def test_the_specification_s_limits() -> None:
    assert ulid_text(b"\x00" * 16) == "0" * 26
    assert ulid_text(b"\xff" * 16) == "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"


def test_the_time_comes_first() -> None:
    raw = UlidSource().new(1_469_918_176_385 * 1_000_000)
    assert ulid_text(raw)[:10] == "01ARYZ6S41"


def test_one_source_makes_them_in_order() -> None:
    source = UlidSource()
    made = [source.new(time_ns) for time_ns in (5_000_000, 5_000_000, 5_999_999, 6_000_000, 7_000_000)]
    assert made == sorted(set(made))


def test_two_sources_do_not_meet() -> None:
    assert UlidSource().new(1)[6:] != UlidSource().new(1)[6:]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 25,
        "0" * 27,
        "8" + "0" * 25,
        "0" * 25 + "I",
        "0" * 25 + "L",
        "0" * 25 + "O",
        "0" * 25 + "U",
        "0" * 25 + "a",
        "0" * 25 + "-",
        "0" * 25 + " ",
        "0" * 25 + "é",
        "_" + "0" * 25,
    ],
)
def test_what_is_no_ulid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a ULID"):
        ulid_bytes(text)
