# SPDX-License-Identifier: Apache-2.0
"""A snapshot that stays columns leads to the same graph and the same rows as one that is made objects at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peeps_collector.decode.canonical import Rejected
from peeps_collector.decode.logs import GoneRecord, NodeRecord
from peeps_collector.decode.resource import process_of
from peeps_collector.graph.live import LiveGraph
from peeps_collector.store.buffer import RowBuffer
from peeps_collector.store.schema import EDGE_CHANGE, NODE_CHANGE
from peeps_otel.model import Edge, EdgeKind, Node, NodeKind, Wait
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from peeps_otel.model.ulid import ulid_text
from peeps_otel.model.wire_decoder import WireError
from peeps_otel.model.wire_numbers import EDGE_KINDS, NODE_KINDS
from tests.collector.collector_support import apply_snapshot, resource
from tests.support.examples import examples

SECOND = 1_000_000_000
PROCESS, NEIGHBOUR = process_of(resource("one")), process_of(resource("neighbour"))
ULIDS = [bytes([number] * 16) for number in range(6)]
TEXTS = ["", "lock.acquire", "a.py:1", "main", "task.thread", "ü"]
EARLIER = "request.correlation"
TAKEN = f"{NODE_KINDS[0]}:{ulid_text(ULIDS[5])}"
"""A neighbour has this node already."""


def numbers(most: int, wrong: int | None = None) -> st.SearchStrategy[int]:
    """From 0 to `most`; very seldom `wrong`."""
    good = st.integers(0, most)
    return good if wrong is None else st.one_of(*[good] * 60, st.just(wrong))


text, time = numbers(len(TEXTS) - 1, len(TEXTS) + 1), numbers(2, 1 << 63)
ROW = st.fixed_dictionaries(
    {
        "local": numbers(5),
        "kind": numbers(1, len(NODE_KINDS)),
        "name": text,
        "created_at": time,
        "source": text,
        "flags": numbers(3),
        "state": text,
        "providers": numbers(3, 4),
        "steps": numbers(2),
        "stack": numbers(2, 3),
        "wait_operation": text,
        "wait_since": time,
        "wait_needs": numbers(2),
        "wait_deadline": time,
        "wait_source": text,
    }
)
EDGE = st.tuples(numbers(4, 9), numbers(2, len(EDGE_KINDS)), numbers(6), time, text, numbers(7))
KEY = st.one_of(*[st.integers(0, 5)] * 60, st.just(6), st.just(7))
ATTRIBUTE = st.tuples(numbers(4, 9), KEY, numbers(2), numbers(5, 7))


@st.composite
def messages(draw: st.DrawFn) -> Message:
    made = Message(time_unix_nano=draw(st.integers(1, 5)), key_frame=draw(st.booleans()))
    made.strings.extend([*TEXTS, EARLIER])
    made.frames.function.extend([3, 1])
    made.frames.file.extend([2, 2])
    made.frames.line.extend([7, 0])
    made.stacks.length.extend([1, 2])
    made.stacks.frame.extend([0, 0, draw(numbers(1, 2))])
    made.cost.interval_ns = SECOND
    once = draw(st.sampled_from([True, True, True, False]))
    rows = draw(st.lists(ROW, max_size=5, unique_by=(lambda row: row["local"]) if once else None))
    for row in rows:
        for column, value in row.items():
            getattr(made.nodes, column).append(value)
    other = draw(numbers(5))
    made.nodes.ulid = b"".join(ULIDS[row["local"] if draw(numbers(9)) else other] for row in rows)
    for edge in draw(st.lists(EDGE, max_size=8)):
        for column, value in zip(("source_row", "kind", "target", "since", "source", "flags"), edge, strict=True):
            getattr(made.edges, column).append(value)
    for attribute in draw(st.lists(ATTRIBUTE, max_size=5)):
        for column, value in zip(("row", "key", "type", "value"), attribute, strict=True):
            getattr(made.nodes, f"attribute_{column}").append(value)
    made.gone.extend(draw(st.lists(numbers(6), max_size=2)))
    return made


@dataclass
class Story:
    """A live graph and everything that it has said; `taken`: to the diagnosis. `looks`: at the whole of it, after each
    event."""

    few: int
    looks: bool = True
    said: list[Any] = field(default_factory=list[Any])
    taken: list[Any] = field(default_factory=list[Any])

    def __post_init__(self) -> None:
        self.rows = RowBuffer(1_000_000)
        self.live = LiveGraph(self.rows, self.few)
        self.live.apply_node(NEIGHBOUR, NodeRecord(Node(TAKEN, NODE_KINDS[0], "n", 1, ""), [], None, None, 1), SECOND)

    def apply(self, event: Message | NodeRecord | GoneRecord) -> None:
        try:
            if isinstance(event, NodeRecord):
                self.said.append(self.live.apply_node(PROCESS, event, SECOND))
            elif isinstance(event, GoneRecord):
                self.said.append(self.live.apply_gone(PROCESS, event, SECOND))
            else:
                steps = self.live.snapshot_steps(PROCESS, event.SerializeToString(), SECOND)
                while True:
                    next(steps)
        except StopIteration as done:
            self.said.append(done.value)
        except (WireError, Rejected) as error:
            self.said.append(str(error))
        self.said.append(self._stored())
        if len(self.said) % 2:  # a look of the diagnosis may come between any two
            self.taken.append(self._taken())
        if not self.looks:
            return
        view = self.live.view()
        self.said.append((view.nodes, {node: set(edges) for node, edges in view.out.items()}, view.owner))

    def _taken(self) -> dict[str, Any]:
        """What the diagnosis would get."""
        return {
            process: (delta.whole, {n: one and (one[0], set(one[1])) for n, one in delta.entries.items()})
            for process, delta in self.live.take_changes({PROCESS.id, NEIGHBOUR.id})[0].items()
        }

    def _stored(self) -> dict[str, list[str]]:
        """The rows of each table since the last time, in any order."""
        return {
            name: sorted(
                [repr(row) for row in part.tuples]
                + [repr(tuple(row.values())) for batch in part.batches for row in batch.to_pylist()]
            )
            for name, part in self.rows.take()[0].items()
        }


@st.composite
def events(draw: st.DrawFn) -> list[Message | NodeRecord | GoneRecord]:
    found: list[Message | NodeRecord | GoneRecord] = []
    stream, sequence = 1, 0
    for made in draw(st.lists(messages(), min_size=1, max_size=6)):
        if draw(numbers(9)) == 0:
            stream, sequence = stream + 1, 0
        sequence += draw(st.sampled_from([0, 1, 1, 1, 1, 1, 2]))
        made.stream_id, made.sequence = stream, max(sequence, 1)
        found.append(made)
        if draw(numbers(4)) == 0:
            ids = [f"{NODE_KINDS[0]}:{ulid_text(ulid)}" for ulid in ULIDS[:5]]
            one = draw(st.sampled_from(ids))
            if draw(st.booleans()):
                found.append(GoneRecord(one, stream, sequence + 1, 3))
            else:
                wait = draw(
                    st.sampled_from([None, Wait("lock.acquire", 1, "a.py:1"), Wait("", 0, "", 1, 2, exact=True)])
                )
                attributes = draw(st.dictionaries(st.sampled_from(TEXTS), st.sampled_from([0, True, "main"])))
                node = Node(one, NODE_KINDS[0], "main", 1, "a.py:1", wait=wait, attributes=dict(attributes))
                edges = [Edge(EdgeKind.NEEDS, one, draw(st.sampled_from(ids)), 1)] * draw(numbers(2))
                found.append(NodeRecord(node, edges, stream, sequence + 1, 3))
    return found


@given(events())
@settings(max_examples=examples(300), deadline=None)
def test_columns_and_objects_lead_to_the_same(story: list[Message | NodeRecord | GoneRecord]) -> None:
    objects, columns, mixed = Story(1 << 60), Story(0), Story(3)
    for event in story:
        for one in (objects, columns, mixed):
            one.apply(event)
    assert (columns.said, columns.taken) == (objects.said, objects.taken)
    assert (mixed.said, mixed.taken) == (objects.said, objects.taken)


def test_what_says_the_same_again_is_no_row() -> None:
    story, nodes = Story(0), 100
    made = Message(stream_id=1, time_unix_nano=5, key_frame=True, strings=["", "n", "a.py:1", "lock.acquire"])
    made.nodes.local.extend(range(nodes))
    made.nodes.ulid = b"".join((7 + number).to_bytes(16, "big") for number in range(nodes))
    made.nodes.name.extend([1] * nodes)
    made.nodes.wait_operation.extend([3] * nodes)
    made.edges.source_row.extend(range(nodes))
    made.edges.target.extend([0] * nodes)
    counted: list[tuple[int, int]] = []
    for sequence in range(1, 4):
        made.sequence = sequence
        if sequence == 3:
            made.nodes.wait_since.extend([9] * 70)
        apply_snapshot(story.live, PROCESS, made.SerializeToString(), SECOND)
        rows = story.rows.take()[0]
        counted.append((len(rows.get(NODE_CHANGE.name, ())), len(rows.get(EDGE_CHANGE.name, ()))))
    assert counted == [(nodes + 1, nodes), (0, 0), (70, 0)]


@pytest.mark.parametrize("few", [0, 1 << 60])
def test_a_node_that_is_told_between_two_snapshots_is_compared_with_what_was_told(few: int) -> None:
    story, node_id = Story(few), f"{NodeKind.TASK}:{ulid_text(ULIDS[1])}"
    made = Message(stream_id=1, sequence=1, time_unix_nano=5, key_frame=True, strings=["", "n", "main"])
    made.nodes.local.append(1)
    made.nodes.ulid = ULIDS[1]
    made.nodes.kind.append(NODE_KINDS.index(NodeKind.TASK))
    made.nodes.name.append(1)
    made.cost.interval_ns = SECOND
    story.apply(made)
    assert story.live.apply_node(PROCESS, NodeRecord(Node(node_id, NodeKind.TASK, "main", 0, ""), [], 1, 2, 5), SECOND)
    story.rows.take()
    made.sequence, made.nodes.name[0] = 2, 2
    story.apply(made)
    assert set(story.said[-2]) == {"snapshot"}, "the snapshot says what the record has said"


@pytest.mark.parametrize("few", [0, 1 << 60])
def test_an_edge_leads_to_whom_its_number_means_by_then(few: int) -> None:
    """A number is of another node, or of none, from one snapshot to the next."""
    story = Story(few)
    one, other, third = (f"{NodeKind.TASK}:{ulid_text(ULIDS[number])}" for number in (1, 2, 3))

    def targets(sequence: int, told: list[tuple[int, bytes]], gone: list[int] | None = None) -> set[str]:
        """Where the edge of the first node leads, which goes to number 2."""
        made = Message(stream_id=1, sequence=sequence, time_unix_nano=5, key_frame=sequence == 1, strings=["", "n"])
        for local, ulid in [(1, ULIDS[1]), *told]:
            made.nodes.local.append(local)
            made.nodes.ulid += ulid
            made.nodes.kind.append(NODE_KINDS.index(NodeKind.TASK))
        made.edges.source_row.append(0)
        made.edges.target.append(2)
        made.gone.extend(gone or [])
        story.apply(made)
        return {edge.dst for edge in story.said[-1][1].get(one, ())}

    assert targets(1, []) == set()
    assert targets(2, [(2, ULIDS[2])]) == {other}
    assert targets(3, []) == {other}
    assert targets(4, [], gone=[2]) == {other}
    assert targets(5, []) == set()
    assert targets(6, [(2, ULIDS[3])]) == {third}
    assert targets(7, [(2, ULIDS[4]), (5, ULIDS[3])]) == {f"{NodeKind.TASK}:{ulid_text(ULIDS[4])}"}
    assert targets(8, []) == {f"{NodeKind.TASK}:{ulid_text(ULIDS[4])}"}


@pytest.mark.parametrize("few", [0, 1 << 60])
def test_a_node_with_a_name_of_an_earlier_contract_is_refused_and_its_neighbour_is_not(few: int) -> None:
    story = Story(few)
    made = Message(
        stream_id=1, sequence=1, time_unix_nano=5, key_frame=True, strings=["", "n", EARLIER, "peeps.method"]
    )
    made.nodes.local.extend([1, 2])
    made.nodes.ulid = ULIDS[1] + ULIDS[2]
    made.nodes.kind.extend([NODE_KINDS.index(NodeKind.REQUEST)] * 2)
    made.nodes.attribute_row.extend([0, 1])
    made.nodes.attribute_key.extend([2, 3])
    made.nodes.attribute_value.extend([1, 1])
    made.edges.source_row.append(1)
    made.edges.target.append(1)
    story.apply(made)
    one, other = (f"request:{ulid_text(ulid)}" for ulid in ULIDS[1:3])
    (reason,), (nodes, edges, _) = story.said[-3], story.said[-1]
    assert reason.startswith(f"peeps.snapshot: node {one}: {EARLIER} is a name of an earlier contract")
    assert {node_id for node_id in nodes if node_id.startswith("request:")} == {other}
    assert not edges.get(other)
