# SPDX-License-Identifier: Apache-2.0
"""Who waits for what a silent process must do: through its calls and locks, in the graph of all processes."""

from __future__ import annotations

from collections.abc import Sequence

from peeps_collector.graph.behind import behind
from peeps_collector.graph.view import View
from peeps_otel.model import Edge, EdgeKind, Node, NodeKind, Wait
from tests.collector.collector_support import new_id

SILENT, SHOP = "silent", "shop"


class World:
    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.owner: dict[str, str] = {}
        self.out: dict[str, tuple[Edge, ...]] = {}

    def thing(self, kind: NodeKind, of: str = SHOP, **to: Sequence[str]) -> str:
        """`to`: by kind of edge, to whom."""
        node_id = new_id(kind)
        edges = [Edge(EdgeKind(name), node_id, one) for name, several in to.items() for one in several]
        self.nodes[node_id], self.owner[node_id], self.out[node_id] = self._node(node_id, kind, None), of, tuple(edges)
        return node_id

    def task(self, *needs: str, k: int = 1, since_ns: int = 0, of: str = SHOP) -> str:
        node_id = self.thing(NodeKind.TASK, of, needs=needs)
        wait = Wait("wait", since_ns, "a.py:1", needs=k) if needs else None
        self.nodes[node_id] = self._node(node_id, NodeKind.TASK, wait)
        return node_id

    def behind(self) -> list[str]:
        return behind(View(1, self.nodes, self.owner, self.out), SILENT)

    @staticmethod
    def _node(node_id: str, kind: NodeKind, wait: Wait | None) -> Node:
        return Node(node_id, kind, "x", 1, "a.py:1", wait=wait)


def test_who_calls_it_and_who_waits_for_what_those_hold_come_with_the_longest_wait_first() -> None:
    world = World()
    handler = world.task(of=SILENT)
    response = world.thing(NodeKind.RESPONSE, SILENT, handled_by=[handler])
    caller = world.task(world.thing(NodeKind.REQUEST, rpc_link=[response]), since_ns=5)
    waiting = world.task(world.thing(NodeKind.LOCK, held_by=[caller]), since_ns=3)
    reader = world.task(world.thing(NodeKind.IO, could_end=[handler]), since_ns=9)
    assert world.behind() == [waiting, caller, reader]


def test_who_can_get_on_without_it_does_not_wait_behind_it() -> None:
    world = World()
    handler, at_work = world.task(of=SILENT), world.task()
    both = world.thing(NodeKind.IO, could_end=[handler, at_work])
    request = world.thing(NodeKind.REQUEST, rpc_link=[world.thing(NodeKind.RESPONSE, SILENT, handled_by=[handler])])
    timer = world.thing(NodeKind.TIMER)
    world.task(both)
    world.task(request, timer, k=1)
    held_up = world.task(request, timer, k=2)
    assert world.behind() == [held_up]


def test_its_own_tasks_are_not_told() -> None:
    world = World()
    handler = world.task(of=SILENT)
    world.task(world.thing(NodeKind.LOCK, SILENT, held_by=[handler]), of=SILENT)
    assert world.behind() == []
