# SPDX-License-Identifier: Apache-2.0
"""Snapshots to bytes and back; and bytes that are none."""

from __future__ import annotations

import copy
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peeps_otel.model import Edge, EdgeKind, Frame, Node, NodeKind, Snapshot, Wait
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from peeps_otel.model.ulid import ulid_text
from peeps_otel.model.wire import Encoder
from peeps_otel.model.wire_decoder import Decoder, WireError
from tests.model.model_strategies import streams
from tests.support.examples import examples

_A = f"task:{ulid_text(bytes(15) + b'a')}"
_B = f"lock:{ulid_text(bytes(15) + b'b')}"


def _node(node_id: str, name: str = "") -> Node:
    return Node(node_id, NodeKind(node_id.partition(":")[0]), name, 1, "a.py:1")


def _snapshot(sequence: int = 1, key_frame: bool = True, nodes: list[Node] | None = None) -> Snapshot:
    return Snapshot(7, sequence, 99, key_frame, nodes=[] if nodes is None else nodes)


@given(streams())
def test_a_stream_comes_out_as_it_went_in(snapshots: list[Snapshot]) -> None:
    encoder, decoder = Encoder(), Decoder()
    before = copy.deepcopy(snapshots)
    assert [decoder.decode(encoder.encode(snapshot)) for snapshot in snapshots] == before
    assert snapshots == before


def test_a_delta_names_what_an_earlier_snapshot_introduced() -> None:
    encoder, decoder = Encoder(), Decoder()
    first = _snapshot(nodes=[_node(_A, "a"), _node(_B, "b")])
    second = _snapshot(2, False, [_node(_A, "a2")])
    second.edges = [Edge(EdgeKind.NEEDS, _A, _B, 5, "a.py:2")]
    third = _snapshot(3, False)
    third.gone = [_B]
    assert [decoder.decode(encoder.encode(one)) for one in (first, second, third)] == [first, second, third]


def test_an_edge_to_what_was_never_told_is_left_out() -> None:
    snapshot = _snapshot(nodes=[_node(_A)])
    snapshot.edges = [Edge(EdgeKind.NEEDS, _A, _B)]
    assert Decoder().decode(Encoder().encode(snapshot)) == _snapshot(nodes=[_node(_A)])


def test_a_decoder_that_missed_the_key_frame_still_reads_the_nodes() -> None:
    encoder = Encoder()
    encoder.encode(_snapshot(nodes=[_node(_B)]))
    second = _snapshot(2, False, [_node(_A)])
    second.edges = [Edge(EdgeKind.NEEDS, _A, _B)]
    second.gone = [_B]
    assert Decoder().decode(encoder.encode(second)) == _snapshot(2, False, [_node(_A)])


def test_a_name_that_is_no_unicode_does_not_cost_the_snapshot() -> None:
    snapshot = _snapshot(nodes=[_node(_A, "caf\udce9"), _node(_B, "é")])
    assert [node.name for node in Decoder().decode(Encoder().encode(snapshot)).nodes] == ["caf?", "é"]


def test_columns_that_are_shorter_than_their_table() -> None:
    message = Message(stream_id=7, sequence=1, time_unix_nano=99, key_frame=True, strings=["", "x"])
    message.nodes.local.extend([1, 2])
    message.nodes.ulid = bytes(15) + b"a" + bytes(15) + b"b"
    message.nodes.kind.extend([0, 2])
    message.nodes.attribute_row.extend([0, 1])
    message.nodes.attribute_key.extend([1, 1])
    message.edges.source_row.append(0)
    message.edges.target.append(2)
    message.frames.function.append(1)
    message.stacks.length.append(1)
    message.stacks.frame.append(0)
    message.nodes.stack.append(1)
    decoded = Decoder().decode(message.SerializeToString())
    assert [(node.id, node.created_at, node.source, node.attributes) for node in decoded.nodes] == [
        (_A, 0, "", {"x": ""}),
        (_B, 0, "", {"x": ""}),
    ]
    assert decoded.nodes[0].stack == (Frame("x", "", None),)
    assert decoded.edges == [Edge(EdgeKind.NEEDS, _A, _B)]


def _broken(name: str) -> Message:  # noqa: C901  one case after the other
    message = Message.FromString(Encoder().encode(_snapshot(nodes=[_node(_A, "a")])))
    match name:
        case "no stream":
            message.stream_id = 0
        case "no sequence":
            message.sequence = 0
        case "no time":
            message.time_unix_nano = 0
        case "ulid too short":
            message.nodes.ulid = b"123"
        case "kind unknown":
            message.nodes.kind[0] = 200
        case "name outside":
            message.nodes.name[0] = 99
        case "providers unknown":
            message.nodes.providers[0] = 9
        case "stack outside":
            message.nodes.stack[0] = 1
        case "stack longer than its frames":
            message.stacks.length.append(3)
        case "frame outside":
            message.stacks.length.append(1)
            message.stacks.frame.append(0)
        case "attribute row outside":
            message.nodes.attribute_row.append(5)
        case "attribute string outside":
            message.nodes.attribute_row.append(0)
            message.nodes.attribute_key.append(0)
            message.nodes.attribute_type.append(0)
            message.nodes.attribute_value.append(-1)
        case "edge kind unknown" | "edge row outside":
            message.edges.source_row.append(0 if name == "edge kind unknown" else 3)
            message.edges.kind.append(77 if name == "edge kind unknown" else 0)
            message.edges.target.append(message.nodes.local[0])
        case _:
            raise AssertionError(name)
    return message


@pytest.mark.parametrize(
    "name",
    [
        "no stream",
        "no sequence",
        "no time",
        "ulid too short",
        "kind unknown",
        "name outside",
        "providers unknown",
        "stack outside",
        "stack longer than its frames",
        "frame outside",
        "attribute row outside",
        "attribute string outside",
        "edge kind unknown",
        "edge row outside",
    ],
)
def test_a_broken_message_is_refused_and_leaves_no_trace(name: str) -> None:
    encoder, decoder = Encoder(), Decoder()
    decoder.decode(encoder.encode(_snapshot(nodes=[_node(_A), _node(_B)])))
    following = _snapshot(2, False, [_node(_A, "later")])
    following.edges = [Edge(EdgeKind.NEEDS, _A, _B)]
    body = encoder.encode(following)
    with pytest.raises(WireError, match=r"^peeps\.snapshot"):
        decoder.decode(_broken(name).SerializeToString())
    assert decoder.decode(body) == following


@pytest.mark.slow
@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow])
@given(streams(), st.data())
def test_damaged_bytes_raise_nothing_but_a_wire_error(snapshots: list[Snapshot], data: st.DataObject) -> None:
    encoder, decoder = Encoder(), Decoder()
    bodies = [encoder.encode(snapshot) for snapshot in snapshots]
    for snapshot, body in zip(snapshots, bodies, strict=True):
        damaged = bytearray(body)
        for _ in range(data.draw(st.integers(1, 3))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
        untouched = copy.deepcopy(decoder)
        try:
            decoder.decode(bytes(damaged))
        except WireError:
            assert vars(decoder) == vars(untouched)
        decoder = untouched
        assert decoder.decode(body) == snapshot


@given(st.binary(max_size=64))
def test_arbitrary_bytes_raise_nothing_but_a_wire_error(body: bytes) -> None:
    decoder = Decoder()
    try:
        decoder.decode(body)
    except WireError:
        assert vars(decoder) == vars(Decoder())


def test_a_wait_keeps_every_field() -> None:
    node = _node(_A)
    node.wait = Wait("wait", 5, "a.py:3", needs=2, deadline_ns=9, exact=True)
    assert Decoder().decode(Encoder().encode(_snapshot(nodes=[node]))).nodes == [node]


def test_a_large_snapshot_is_made_of_parts_and_other_threads_run_in_between() -> None:
    tasks = [f"task:{ulid_text(number.to_bytes(16, 'big'))}" for number in range(2500)]
    snapshot = _snapshot(nodes=[_node(task, f"worker {number}") for number, task in enumerate(tasks)])
    snapshot.nodes[2400].attributes["peeps.loop.id"] = 3
    snapshot.edges = [Edge(EdgeKind.NEEDS, one, other) for one, other in zip(tasks, reversed(tasks), strict=True)]
    pauses: list[int] = []
    body = Encoder().encode(snapshot, lambda: pauses.append(1))
    assert Decoder().decode(body) == snapshot
    assert len(pauses) >= 6


def test_no_part_of_encoding_keeps_the_interpreter_for_long() -> None:
    """Counted are the lines between two pauses, of three thousand tasks that wait, each with an edge."""
    lines: list[int] = [0]

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        lines[-1] += event == "line"
        return trace

    nodes: list[Node] = []
    edges: list[Edge] = []
    for number in range(3000):
        wait = Wait("sleep", number, f"app.py:{number}")
        stack = (Frame("run", "app.py", number),)
        node = Node(
            f"task:{ulid_text(number.to_bytes(16, 'big'))}",
            NodeKind.TASK,
            f"t{number}",
            1,
            "app.py:1",
            wait=wait,
            stack=stack,
        )
        node.attributes["peeps.loop"] = number
        nodes.append(node)
        edges.append(Edge(EdgeKind.NEEDS, node.id, nodes[0].id))
    snapshot = Snapshot(1, 1, 1, True, nodes, edges)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        Encoder().encode(snapshot, lambda: lines.append(0))
    finally:
        sys.settrace(before)
    assert (sum(lines) > 100_000, max(lines) < 4000) == (True, True)
