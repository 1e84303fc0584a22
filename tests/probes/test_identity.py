# SPDX-License-Identifier: Apache-2.0
"""Which object is which node, when addresses come back."""

from __future__ import annotations

from peeps_otel.model import NodeKind
from peeps_otel.model.ulid import ulid_bytes
from peeps_otel.probes.identity import Identities, NodeIds


class _Thing:
    pass


def test_a_reused_address_is_another_object() -> None:
    known: Identities[str] = Identities()
    thing = _Thing()
    address = id(thing)
    assert known.put(thing, "first")
    del thing
    others: list[_Thing] = []
    while id(other := _Thing()) != address and len(others) < 10_000:
        others.append(other)
    assert known.get(other) is None
    assert known.forget_dead() == ["first"]
    assert len(known) == 0


def test_an_object_without_weak_references_has_no_identity() -> None:
    assert not Identities[str]().put(7, "seven")


def test_node_ids_carry_kind_and_time() -> None:
    ids = NodeIds()
    made = [ids.new(NodeKind.TASK, 5_000_000) for _ in range(3)]
    assert made == sorted(set(made))
    kind, _, ulid = made[0].partition(":")
    assert (kind, ulid_bytes(ulid)[:6]) == ("task", (5).to_bytes(6, "big"))
