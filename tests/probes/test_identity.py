# SPDX-License-Identifier: Apache-2.0
"""Which object is which node, when addresses come back; and which code is the application's own."""

from __future__ import annotations

import asyncio
import os

import pytest

from peeps_otel.model import Frame, NodeKind
from peeps_otel.model.ulid import ulid_bytes
from peeps_otel.probes.identity import Identities, NodeIds
from peeps_otel.probes.source import application


class _Thing:
    pass


def test_a_reused_address_is_another_object() -> None:
    known: Identities[str] = Identities()
    thing = _Thing()
    address = id(thing)
    assert known.put(thing, "first")
    del thing
    others = []
    while id(other := _Thing()) != address and len(others) < 10_000:
        others.append(other)
    assert known.get(other) is None
    assert known.forget_dead() == ["first"]
    assert len(known) == 0


def test_an_object_without_weak_references_has_no_identity() -> None:
    assert not Identities[str]().put(7, "seven")


def test_only_what_is_still_there_is_kept() -> None:
    known: Identities[str] = Identities()
    things = [_Thing() for _ in range(3)]
    for number, thing in enumerate(things):
        known.put(thing, str(number))
    assert known.keep_only(things[1:]) == ["0"]
    assert [record for _, record in known.records()] == ["1", "2"]


def test_node_ids_carry_kind_and_time() -> None:
    ids = NodeIds()
    made = [ids.new(NodeKind.TASK, 5_000_000) for _ in range(3)]
    assert made == sorted(set(made))
    kind, _, ulid = made[0].partition(":")
    assert (kind, ulid_bytes(ulid)[:6]) == ("task", (5).to_bytes(6, "big"))


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/srv/shop/app.py", True),
        (__file__, True),
        (asyncio.__file__, False),
        (application.__file__, False),
        ("/srv/venv/lib/python3.11/site-packages/aiohttp/web.py", False),
        ("<string>", False),
    ],
)
def test_what_is_the_application(file: str, expected: bool) -> None:
    assert application.is_application(file) is expected


def test_the_innermost_frame_of_the_application() -> None:
    own, library = Frame("f", "/srv/app.py", 3), Frame("Lock.acquire", os.path.realpath(asyncio.locks.__file__), 9)
    assert application.innermost([own, library]) is own
    assert application.innermost([library]) is library
    assert application.innermost([]) is None
    assert application.source(own) == "/srv/app.py:3"
    assert application.source(Frame("f", "/srv/app.py", None)) == "/srv/app.py"
    assert application.source(None) == ""
