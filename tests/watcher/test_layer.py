# SPDX-License-Identifier: Apache-2.0
"""What holds for long is laid over nodes once, and says the same whatever else is written on them meanwhile."""

from __future__ import annotations

from dataclasses import replace

from peeps_otel.model import AttributeValue, Edge, EdgeKind, Node, NodeKind
from peeps_otel.probes.kept import Kept
from peeps_otel.probes.probe import Observation
from peeps_otel.watcher.layer import Layer

_MANY = 1000
_LOST: dict[str, AttributeValue] = {"lost": True}
_MORE = (Edge(EdgeKind.COULD_END, "event:0", "task:main"),)


class _World:
    """Events that are kept, of all of which something is known; or, as in other observations, shown anew each time."""

    def __init__(self, kept: bool = True) -> None:
        self._is_kept = kept
        self.nodes: Kept[Node] = Kept()
        self.edges: Kept[tuple[Edge, ...]] = Kept()
        self.layer = Layer()
        for number in range(_MANY):
            self.show(Node(f"event:{number}", NodeKind.EVENT, "e", 1, "app.py:1"))

    def show(self, node: Node) -> None:
        self.nodes.keep(node.id, node)
        self.edges.keep(node.id, ())

    def begin(self) -> Observation:
        self.nodes.begin()
        self.edges.begin()
        if self._is_kept:
            return Observation(self.nodes, self.edges)
        return Observation(dict(self.nodes), dict(self.edges))

    def look(self, observation: Observation) -> int:
        """Lays what is to be laid, and returns over how many."""
        concerned = self.layer.begin(observation)
        ids = observation.nodes.keys() if concerned is None else concerned & observation.nodes.keys()
        for one in list(ids):
            self.layer.lay(one, _LOST, _MORE if one == "event:0" else ())
        return len(ids)


def test_of_which_the_same_is_said_share_one_dictionary() -> None:
    world = _World()
    base: dict[str, AttributeValue] = {"kind": "of all"}
    for number in range(_MANY):
        world.show(Node(f"event:{number}", NodeKind.EVENT, "e", 1, "app.py:1", attributes=base))
    world.look(world.begin())
    told = {id(node.attributes): node.attributes for node in world.nodes.values()}
    assert list(told.values()) == [{"kind": "of all", "lost": True}]


def test_only_what_has_changed_is_laid_over_again() -> None:
    world = _World()
    assert world.look(world.begin()) == _MANY
    first = world.nodes["event:0"]
    assert (first.attributes, world.edges["event:0"]) == (_LOST, _MORE)
    world.nodes.take_changes()
    world.edges.take_changes()
    assert world.look(world.begin()) == 0
    assert world.nodes["event:0"] is first
    world.show(Node("event:7", NodeKind.EVENT, "other", 1, "app.py:1"))
    assert world.look(world.begin()) == 1
    assert (world.nodes["event:7"].name, world.nodes["event:7"].attributes) == ("other", _LOST)


def test_where_nothing_is_kept_it_is_laid_over_all_and_the_same_objects_come_out() -> None:
    world = _World(kept=False)
    one, other = world.begin(), world.begin()
    assert (world.look(one), world.look(other)) == (_MANY, _MANY)
    assert one.nodes["event:0"] is other.nodes["event:0"]
    assert one.edges["event:0"] is other.edges["event:0"]


def test_what_is_written_for_one_look_lies_above_and_does_not_keep_what_was_taken_away() -> None:
    world = _World()
    world.look(world.begin())
    marked: dict[str, AttributeValue] = {"marked": 1}
    observation = world.begin()
    shown = observation.nodes["event:0"]
    observation.nodes["event:0"] = replace(shown, attributes=shown.attributes | marked)
    world.look(observation)
    assert (observation.nodes["event:0"].attributes, observation.edges["event:0"]) == (_LOST | marked, _MORE)
    world.layer.take_away("event:0")
    assert (observation.nodes["event:0"].attributes, observation.edges["event:0"]) == (marked, ())
    assert world.begin().nodes["event:0"].attributes == {}


def test_over_what_was_written_for_one_look_it_is_laid_again_at_each() -> None:
    world = _World()
    world.layer.begin(world.begin())
    for _ in range(2):
        observation = world.begin()
        world.layer.begin(observation)
        thread = Node("thread:1", NodeKind.THREAD, "t", 1, "app.py:1")
        observation.nodes[thread.id] = thread
        world.layer.lay(thread.id, _LOST, _MORE)
        assert (observation.nodes[thread.id].attributes, observation.edges[thread.id]) == (_LOST, _MORE)
        assert world.layer.again == {thread.id}
