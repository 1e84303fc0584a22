# SPDX-License-Identifier: Apache-2.0
"""Those who could end a wait are in that wait themselves."""

from __future__ import annotations

import pytest

from peeps_otel import semconv
from peeps_otel.diagnosis import wording
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import Edge, EdgeKind, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, diagnose


def _graph(kind: NodeKind, operation: str, *waiters: str, able: tuple[str, ...]) -> WaitGraph:
    world = World()
    thing = world.resource(kind, "thing", providers=Providers.OPEN)
    for name in waiters:
        world.task(name, thing, operation=operation)
    world.task("other")
    world.edges += [Edge(EdgeKind.COULD_END, thing, f"task:{name}") for name in able]
    return WaitGraph(world.graph(), frozenset())


@pytest.mark.parametrize(
    ("able", "said"),
    [
        ((), ""),
        (("other",), ""),
        (("a",), "only a itself could set it, after this very wait"),
        (("a", "a"), "only a itself could set it, after this very wait"),  # by two ways
        (("a", "b"), "only a and b could set it, and they all wait for it too"),
    ],
)
def test_who_they_are(able: tuple[str, ...], said: str) -> None:
    graph = _graph(NodeKind.EVENT, "event.wait", "a", "b", able=able)
    assert wording.only_waiters(graph, "event:thing") == said


def test_a_queue_is_put_into_or_where_all_is_to_be_done_finished() -> None:
    assert wording.ends(_graph(NodeKind.RX, "queue.get", "a", able=()), "rx:thing") == "put into it"
    assert wording.ends(_graph(NodeKind.RX, "queue.join", "a", able=()), "rx:thing") == "finish it"
    assert wording.ends(_graph(NodeKind.RX, "queue.get", able=()), "rx:thing") == "put into it"


def test_what_was_taken_and_never_marked_done_is_said_of_a_queue_that_somebody_joins() -> None:
    world = World()
    rx = world.resource(NodeKind.RX, "jobs", providers=Providers.CLOSED, peeps__channel__length=0)
    world.nodes[rx].attributes["peeps.channel.unfinished"] = 2
    world.task("main", rx, operation="queue.join")
    world.task("runner", rx, operation="queue.get")
    (finding,) = diagnose(world, after=3 * SECOND)
    assert finding.title == (
        "main waits until everything put into Queue jobs is done, but 2 that were taken were never marked done, and "
        "nobody who can run would do that; it is taken from by runner at app/work.py:3"
    )
    assert finding.advice.startswith("Call `task_done()`")


@pytest.mark.parametrize(
    ("kind", "able", "said"),
    [
        (
            NodeKind.EVENT,
            ("a", "a"),
            "Only code of a after this wait would set it: leave the wait to another thread or ",
        ),
        (NodeKind.EVENT, ("a", "b"), "One of them must set it first, or put an end to that wait by a timeout."),
        (NodeKind.RX, ("a", "b"), "Give back what was taken before taking more of the same, or put an end to that "),
    ],
)
def test_what_they_can_do(kind: NodeKind, able: tuple[str, ...], said: str) -> None:
    world = World()
    thing = world.resource(kind, "thing", providers=Providers.OPEN)
    world.nodes[thing].attributes[semconv.COULD_END_ASKED] = START
    for name in ("a", "b"):
        world.task(name, thing, operation="event.wait")
    world.edges += [Edge(EdgeKind.COULD_END, thing, f"task:{name}") for name in able]
    (finding,) = diagnose(world, after=60 * SECOND)
    assert finding.advice.startswith(said)
