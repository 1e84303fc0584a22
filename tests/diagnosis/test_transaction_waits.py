# SPDX-License-Identifier: Apache-2.0
"""A statement that may wait for the locks of a transaction whose owner waits for it."""

from __future__ import annotations

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Finding, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief

_AT = "db:5432/shop"


def diagnose(world: World, after: int) -> list[Finding]:
    return Diagnoser().look(world.graph(), START + after)


def _transactions(world: World, *holders: str, at: str = _AT) -> None:
    world.resource(NodeKind.LOCK, at, *holders, providers=Providers.OPEN, peeps__database__transactions=at)


def _asks(world: World, name: str, at: str = _AT) -> str:
    answer = world.resource(NodeKind.IO, f"socket of {name}")
    return world.task(name, answer, operation="socket", peeps__task__statement_at=at)


def test_the_child_asks_what_its_parent_has_locked() -> None:
    world = World()
    parent = world.task("parent", _asks(world, "child"), operation="task")
    _transactions(world, parent)
    assert diagnose(world, after=4 * SECOND) == []
    ((kind, level, title),) = brief(diagnose(world, after=6 * SECOND))
    assert (kind, level) == ("deadlock", "SLOW")
    assert title.startswith(f"child waits for its statement at {_AT}")
    assert "parent has a transaction open there" in title
    assert "for child" in title
    assert [one[1] for one in brief(diagnose(world, after=16 * SECOND))] == ["SUSPECT"]


def test_one_with_two_connections() -> None:
    world = World()
    _transactions(world, _asks(world, "alone"))
    ((kind, level, title),) = brief(diagnose(world, after=16 * SECOND))
    assert (kind, level) == ("deadlock", "SUSPECT")
    assert "has a transaction open there by another connection" in title


def test_who_waits_for_something_else_goes_on() -> None:
    world = World()
    _asks(world, "child")
    parent = world.task("parent", world.resource(NodeKind.EVENT, "event"), operation="event.wait")
    _transactions(world, parent)
    assert [one for one in brief(diagnose(world, after=16 * SECOND)) if one[0] == "deadlock"] == []


def test_another_database_has_other_locks() -> None:
    world = World()
    parent = world.task("parent", _asks(world, "child", at="db:5432/other"), operation="task")
    _transactions(world, parent)
    assert [one for one in brief(diagnose(world, after=16 * SECOND)) if one[0] == "deadlock"] == []
