# SPDX-License-Identifier: Apache-2.0
"""Values and their bytes, written down from the rules of postcard: what we write, what we read, what we refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeps_otel.roam import schema as s
from peeps_otel.roam.postcard import DecodeError


@dataclass
class Point:
    x: int
    y: int


POINT = s.Struct({"x": s.I32, "y": s.I32}, Point)
SHAPE = s.Enum({"Dot": None, "Round": s.F64, "Line": s.Tuple((POINT, POINT))})

VECTORS: list[tuple[s.Schema, Any, str]] = [
    (s.BOOL, True, "01"),
    (s.U8, 200, "c8"),
    (s.I8, -2, "fe"),
    (s.U16, 300, "ac02"),
    (s.U16, 65535, "ffff03"),
    (s.U32, 127, "7f"),
    (s.U32, 128, "8001"),
    (s.U64, 2**64 - 1, "ffffffffffffffffff01"),
    (s.U128, 2**128 - 1, "ff" * 18 + "03"),
    (s.I16, -1, "01"),
    (s.I32, 64, "8001"),
    (s.I32, -65, "8101"),
    (s.I64, -(2**63), "ffffffffffffffffff01"),
    (s.I128, 2**127 - 1, "fe" + "ff" * 17 + "03"),
    (s.F32, 0.5, "0000003f"),
    (s.F64, -2.0, "00000000000000c0"),
    (s.CHAR, "é", "02c3a9"),
    (s.STRING, "né", "036ec3a9"),
    (s.BYTES, b"\x01\xff", "0201ff"),
    (s.UNIT, None, ""),
    (s.List(s.U16), [1, 300], "0201ac02"),
    (s.Option(s.U8), None, "00"),
    (s.Option(s.U8), 7, "0107"),
    (s.Array(s.U8, 3), [1, 2, 3], "010203"),
    (s.Map(s.STRING, s.U8), {"a": 1}, "01016101"),
    (s.Set(s.U8), {9}, "0109"),
    (s.Tuple((s.BOOL, s.STRING)), (False, "x"), "000178"),
    (POINT, Point(1, -1), "0201"),
    (SHAPE, s.Variant("Dot"), "00"),
    (SHAPE, s.Variant("Line", (Point(0, 1), Point(2, 3))), "0200020406"),
    (s.result(s.I64, s.STRING), s.Variant("Err", "no"), "01026e6f"),
]


@pytest.mark.parametrize(("kind", "value", "expected"), VECTORS)
def test_values_have_these_bytes(kind: s.Schema, value: Any, expected: str) -> None:
    assert s.encode(kind, value).hex() == expected
    assert s.decode(kind, bytes.fromhex(expected)) == value


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (s.BOOL, "02"),
        (s.U8, ""),
        (s.U16, "808004"),
        (s.U32, "ffffffff10"),
        (s.U64, "ffffffffffffffffff02"),
        (s.U64, "80" * 11),
        (s.STRING, "02ff00"),
        (s.STRING, "0561"),
        (s.CHAR, "026161"),
        (s.List(s.U8), "ffffffff0f"),
        (s.Option(s.U8), "0200"),
        (SHAPE, "03"),
        (s.Map(s.List(s.U8), s.U8), "01010000"),
        (POINT, "020100"),
    ],
)
def test_what_is_not_of_the_type_is_refused(kind: s.Schema, data: str) -> None:
    with pytest.raises(DecodeError):
        s.decode(kind, bytes.fromhex(data))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (s.U8, 256),
        (s.U16, -1),
        (s.I16, 32768),
        (s.STRING, 3),
        (s.CHAR, "ab"),
        (s.UNIT, 0),
        (POINT, {"x": 1}),
        (SHAPE, s.Variant("Square")),
        (s.Tuple((s.U8,)), (1, 2)),
        (s.Array(s.U8, 2), [1]),
    ],
)
def test_what_is_not_of_the_type_is_not_written(kind: s.Schema, value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the text is of whoever finds it
        s.encode(kind, value)


def test_a_list_of_nothing_is_no_way_to_fill_the_memory() -> None:
    nothings = s.List(s.List(s.UNIT))
    assert s.decode(nothings, bytes.fromhex("0203" + "02")) == [[None] * 3, [None] * 2]
    with pytest.raises(DecodeError, match="a list of"):
        s.decode(nothings, bytes.fromhex("ffff03") * 3)


def test_a_recursive_type_is_read_to_a_depth() -> None:
    tree = s.Recursive()
    tree.schema = s.Option(tree)
    assert s.decode(tree, b"\x01\x01\x00") is None
    with pytest.raises(DecodeError, match="in each other"):
        s.decode(tree, b"\x01" * 5000)


TREE = s.Recursive()
TREE.schema = s.Enum({"Leaf": s.I32, "Branch": s.List(TREE)})
EVERYTHING = s.Tuple((*(kind for kind, _, _ in VECTORS), TREE, s.Map(s.STRING, s.List(s.Set(s.U8)))))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for kind in (EVERYTHING, TREE, *EVERYTHING.parts):
        try:
            s.decode(kind, data)
        except DecodeError:
            continue


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.text(), st.dictionaries(st.text(), st.binary()))
def test_what_is_written_is_read(numbers: list[int], text: str, more: dict[str, bytes]) -> None:
    kind = s.Tuple((s.List(s.I64), s.STRING, s.Map(s.STRING, s.BYTES)))
    assert s.decode(kind, s.encode(kind, (numbers, text, more))) == (numbers, text, more)
