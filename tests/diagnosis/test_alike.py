# SPDX-License-Identifier: Apache-2.0
"""What is alike is told once, and of very many findings only the worst."""

from __future__ import annotations

import pytest

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Finding, FindingKind, Graph, Level
from tests.diagnosis.world import SECOND, START, World


def _pairs(count: int, alike: bool = True) -> World:
    """Deadlocks of two tasks each, the first the oldest; all of them at the same lines, or each at its own."""
    world = World()
    for number in range(count):
        since = START + number
        world.lock(f"a{number}", f"task:one{number}")
        world.lock(f"b{number}", f"task:two{number}")
        world.task(f"one{number}", f"lock:b{number}", since=since)
        world.task(f"two{number}", f"lock:a{number}", since=since)
        for name in (f"lock:a{number}", f"lock:b{number}"):
            world.nodes[name].source = f"/srv/shop/app/things.py:{1 if alike else number}"
        for name in (f"task:one{number}", f"task:two{number}"):
            wait = world.nodes[name].wait
            assert wait is not None
            wait.source = f"/srv/shop/app/work.py:{1 if alike else number}"
    return world


def _look(graph: Graph, diagnoser: Diagnoser | None = None) -> list[Finding]:
    one = diagnoser or Diagnoser()
    one.look(graph, START + SECOND)
    return one.look(graph, START + 2 * SECOND)


def test_a_thousand_alike_are_one_finding() -> None:
    diagnoser = Diagnoser()
    (finding,) = _look(_pairs(1000).graph(), diagnoser)
    assert (finding.kind, finding.level, finding.count) == (FindingKind.DEADLOCK, Level.PROVEN, 1000)
    assert finding.core == ["lock:a0", "lock:b0", "task:one0", "task:two0"]
    assert finding.examples == ["task:one1", "task:one2", "task:one3", "task:one4", "task:one5"]
    assert (finding.id, diagnoser.untold) == (_look(_pairs(1).graph())[0].id, 0)
    assert {"task:one999", "lock:b500"} <= diagnoser.deadlocked


def test_one_alone_is_counted_as_one() -> None:
    (finding,) = _look(_pairs(1).graph())
    assert (finding.count, finding.examples) == (1, [])


def test_of_different_places_fifty_are_told() -> None:
    diagnoser = Diagnoser()
    found = _look(_pairs(80, alike=False).graph(), diagnoser)
    assert [f.since_ns for f in found] == [START + number for number in range(50)]
    assert diagnoser.untold == 30


def test_whoever_was_told_stays_told() -> None:
    diagnoser = Diagnoser()
    before = _look(_pairs(80, alike=False).graph(), diagnoser)
    older = _pairs(81, alike=False)
    for name in ("task:one80", "task:two80"):
        wait = older.nodes[name].wait
        assert wait is not None
        wait.since_ns = START - SECOND
    for second in (3, 4):
        after = diagnoser.look(older.graph(), START + second * SECOND)
    assert {f.id for f in after} == {f.id for f in before}
    assert diagnoser.untold == 31


def test_those_of_two_processes_are_two_findings() -> None:
    diagnoser = Diagnoser(owner=lambda node: "even" if int(node.lstrip("abcdefghijklmnopqrstuvwxyz:")) % 2 else "odd")
    assert sorted(f.count for f in _look(_pairs(10).graph(), diagnoser)) == [5, 5]


@pytest.mark.parametrize("alike", [True, False])
def test_no_member_waits_behind_itself(alike: bool) -> None:
    for finding in _look(_pairs(5, alike).graph()):
        assert not set(finding.core) & set(finding.blocked)
