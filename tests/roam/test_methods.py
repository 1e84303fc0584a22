# SPDX-License-Identifier: Apache-2.0
"""Ids of methods. The signatures are written down from the specification."""

from __future__ import annotations

import pytest

from peeps_otel import roam
from peeps_otel.roam.blake3 import blake3
from peeps_otel.roam.methods import kebab

POINT = roam.Struct({"x": roam.I32, "y": roam.I32})
SHAPE = roam.Enum({"Dot": None, "Round": roam.F64, "Box": roam.Struct({"w": roam.U8})})


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (3, "e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f"),
        (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
        (1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"),
        (3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3"),
    ],
)
def test_blake3(size: int, expected: str) -> None:
    assert blake3(bytes(number % 251 for number in range(size))).hex() == expected


def test_names_are_in_kebab_case() -> None:
    names = ("TemplateHost", "load_template", "loadTemplate", "HTTPServer", "echo", "get2Points")
    assert [kebab(name) for name in names] == [
        "template-host",
        "load-template",
        "load-template",
        "http-server",
        "echo",
        "get2-points",
    ]


@pytest.mark.parametrize(
    ("arguments", "returns", "error", "expected"),
    [
        ((roam.I32, roam.I32), roam.I64, None, "25020909" + "0a"),
        ((), roam.UNIT, None, "2500" + "10"),
        ((roam.List(roam.U8), roam.BYTES), roam.List(roam.STRING), None, "25021111" + "200f"),
        ((roam.Rx(roam.U32), roam.Tx(roam.U32)), roam.UNIT, None, "250227042604" + "10"),
        ((roam.Map(roam.STRING, roam.Option(roam.BOOL)),), roam.Set(roam.CHAR), None, "2501230f2101" + "240e"),
        ((roam.Array(roam.F32, 300), roam.Tuple((roam.U16,))), roam.F64, None, "250222ac020c250103" + "0d"),
        ((POINT,), POINT, None, "25013002017809017909" + "3002017809017909"),
        ((roam.Tuple((POINT, POINT)),), roam.UNIT, None, "250125023002017809017909" + "32" + "10"),
        ((SHAPE,), roam.U8, None, "2501" + "310303446f740005526f756e64010d03426f7802010177" + "02" + "02"),
        ((roam.I64,), roam.I64, SHAPE, "25010a" + "10"),
    ],
)
def test_signatures(
    arguments: tuple[roam.schema.Schema, ...], returns: roam.schema.Schema, error: roam.Enum | None, expected: str
) -> None:
    assert roam.Method("Shop", "x", arguments, returns, error).signature().hex() == expected


def test_the_id_follows_from_names_and_types() -> None:
    echo = roam.Method("Testbed", "echo", (roam.STRING,), roam.STRING)
    assert echo.id == 0x9AABC4BA61FD5DF3
    assert echo.id == roam.Method("testbed", "Echo", (roam.STRING,), roam.STRING).id
    assert echo.id != roam.Method("Testbed", "echo", (roam.BYTES,), roam.STRING).id
    assert roam.Method("Testbed", "echo", id=42).id == 42


def test_a_recursive_type_refers_back() -> None:
    node = roam.Recursive()
    node.schema = roam.Struct({"next": roam.Option(node)})
    assert roam.Method("Shop", "x", (node,)).signature().hex() == "25013001046e6578742132" + "10"
