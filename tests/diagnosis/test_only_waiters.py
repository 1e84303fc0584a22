# SPDX-License-Identifier: Apache-2.0
"""Those who could end a wait are in that wait themselves."""

from __future__ import annotations

import pytest

from peeps_otel.diagnosis import wording
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.model import Edge, EdgeKind, NodeKind, Providers
from tests.diagnosis.world import World


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
