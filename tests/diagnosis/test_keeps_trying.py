# SPDX-License-Identifier: Apache-2.0
"""Somebody waits for who tries in vain, again and again."""

from __future__ import annotations

from peeps_otel.model import AttributeValue
from tests.diagnosis.world import SECOND, START, World, brief, diagnose

_POLLS: dict[str, AttributeValue] = {
    "peeps.poll.since": START,
    "peeps.poll.asks": "again",
    "peeps.poll.at": "/srv/app/db.py:7",
    "peeps.poll.catches": "OperationalError",
}


def _trying(world: World, **other: AttributeValue) -> str:
    worker = world.thread("worker", deadline=START + 3600 * SECOND, operation="sleep")
    world.nodes[worker].attributes.update(_POLLS | {f"peeps.poll.{key}": value for key, value in other.items()})
    return worker


def test_what_is_caught_and_who_waits_are_told() -> None:
    world = World()
    worker = _trying(world)
    world.thread("MainThread", worker, operation="thread.join")
    assert diagnose(world, after=8 * SECOND) == []
    said = (
        "thread worker tries the same again and again at app/db.py:7, and each time OperationalError is caught; "
        "MainThread waits for it at app/work.py:2"
    )
    found = diagnose(world, after=18 * SECOND)
    assert brief(found) == [("never_ends", "SLOW", said)]
    assert found[0].look_at == "/srv/app/db.py:7"


def test_of_a_loop_of_a_library_the_line_that_waits_for_it_is_opened() -> None:
    world = World()
    worker = _trying(world, at="")
    world.thread("MainThread", worker, operation="thread.join")
    (found,) = diagnose(world, after=18 * SECOND)
    assert found.look_at.endswith("app/work.py:2")


def test_it_is_as_old_as_the_wait_for_it() -> None:
    world = World()
    worker = _trying(world)
    world.thread("MainThread", worker, operation="thread.join", since=START + 15 * SECOND)
    assert diagnose(world, after=20 * SECOND) == []
    assert [finding.since_ns for finding in diagnose(world, after=28 * SECOND)] == [START + 15 * SECOND]


def test_where_nobody_waits_nothing_is_said() -> None:
    world = World()
    _trying(world)
    assert diagnose(world, after=1000 * SECOND) == []


def test_one_that_asks_for_a_state_is_not_meant() -> None:
    world = World()
    worker = _trying(world, asks="code")
    world.thread("MainThread", worker, operation="thread.join")
    assert diagnose(world, after=20 * SECOND) == []
