# SPDX-License-Identifier: Apache-2.0
"""A server that was told to stop, and the handlers it waits for. It polls: each look finds it in another wait."""

from __future__ import annotations

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief

_SAID = (
    "the server was told to stop, but does not: stream waits for an item from Queue news at app/work.py:2; serve "
    "waits for its end"
)


def _told(handler_deadline: int | None = None, deadline: int | None = None, moves: bool = False) -> list[list[object]]:
    diagnoser, found = Diagnoser(), list[list[object]]()
    for second in (0, 1, 4, 8, 20):
        world = World()
        since = START - 60 * SECOND if not moves else START + second * SECOND
        world.resource(NodeKind.RX, "news", providers=Providers.OPEN)
        world.task(
            "stream", "rx:news", operation="queue.get", since=since, deadline=handler_deadline, steps=second * moves
        )
        world.task(
            "serve",
            "task:stream",
            operation="server.shutdown",
            since=START + second * SECOND,
            steps=second,
            deadline=deadline,
            peeps__task__ends_server=True,
        )
        findings = diagnoser.look(world.graph(), START + second * SECOND)
        found.append([one for one in brief(findings) if one[0] == "never_exits"])
    return found


def test_first_slow_then_a_suspicion_by_the_time_since_it_was_told() -> None:
    assert _told() == [[], [], [], [("never_exits", "SLOW", _SAID)], [("never_exits", "SUSPECT", _SAID)]]


def test_a_limit_of_the_shutdown_ends_it() -> None:
    assert _told(deadline=START + 90 * SECOND)[-1] == [("never_exits", "SLOW", _SAID)]


def test_a_handler_that_goes_on_or_gives_up_is_no_finding() -> None:
    assert _told(moves=True) == [[], [], [], [], []]
    assert _told(handler_deadline=START + 90 * SECOND) == [[], [], [], [], []]
