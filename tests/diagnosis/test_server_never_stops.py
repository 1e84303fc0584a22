# SPDX-License-Identifier: Apache-2.0
"""A server that was told to stop, and the handlers it waits for. It polls: each look finds it in another wait."""

from __future__ import annotations

from dataclasses import replace

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Frame, NodeKind, Providers
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


def _of_two(waits_for: str) -> list[tuple[str, str, str]]:
    """A handler in code of a library, and the task that it has started in code of the program."""
    diagnoser, found = Diagnoser(), list[tuple[str, str, str]]()
    within = (Frame("asgi", "/env/uvicorn/server.py", 7, "uvicorn"),)
    own = (Frame("body", "/srv/shop/app/news.py", 20, ""),)
    since = START - 60 * SECOND
    for second in (0, 1, 10):
        world = World()
        for event in ("gone", "news"):
            world.resource(NodeKind.EVENT, event, providers=Providers.OPEN)
        asgi = world.task("asgi", waits_for, operation="event.wait", since=since)
        body = world.task("body", "event:news", operation="event.wait", since=since, peeps__task__parent=asgi)
        for one, stack in ((asgi, within), (body, own)):
            world.nodes[one] = replace(world.nodes[one], stack=stack)
        limit = START + 90 * SECOND
        world.task("serve", asgi, operation="server.shutdown", deadline=limit, peeps__task__ends_server=True)
        found = brief(diagnoser.look(world.graph(), START + second * SECOND))
    return [one for one in found if one[0] == "never_exits"]


def test_the_task_of_the_program_within_a_handler_of_a_library_is_named() -> None:
    ((_, level, title),) = _of_two("event:gone")
    assert level == "SLOW"
    assert ", and its body waits for Event news at" in title


def test_a_ring_with_the_server_that_a_limit_breaks_is_told_by_others() -> None:
    assert _of_two("task:serve") == []
