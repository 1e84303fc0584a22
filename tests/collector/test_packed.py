# SPDX-License-Identifier: Apache-2.0
"""Columns of numbers that are read as arrays say what protobuf's own parser says; and what they were read from is let
go once nobody stands in it any more."""

from __future__ import annotations

import gc
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from peeps_collector.decode.resource import process_of
from peeps_collector.graph.batch import Batch
from peeps_collector.graph.live import LiveGraph
from peeps_collector.graph.packed import columns_of
from peeps_collector.store.buffer import RowBuffer
from peeps_otel.model.snapshot_pb2 import Nodes
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from tests.collector.collector_support import apply_snapshot, resource
from tests.support.examples import examples

SECOND = 1_000_000_000
SHORT = st.lists(st.integers(0, (1 << 32) - 1) | st.integers(0, 200), max_size=40)
LONG = st.lists(st.integers(0, (1 << 64) - 1), max_size=40)
SIGNED = st.lists(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-200, 200), max_size=40)
# A field that is not ours, of each wire type that there is, and one number of a column that is not packed.
FOREIGN = [b"", bytes([0xF8, 0x07, 5]), bytes([0xFA, 0x07, 2, 9, 9]), bytes([0xF9, 0x07, *range(8)]), bytes([0x18, 3])]


def read(message: Nodes) -> tuple[dict[str, list[int]], int]:
    """The columns, and in how many steps."""
    steps = columns_of(message)
    for number in count():
        try:
            next(steps)
        except StopIteration as done:
            return {name: column.tolist() for name, column in done.value.items()}, number
    raise AssertionError("unreachable")


@given(SHORT, LONG, SIGNED, st.sampled_from(FOREIGN))
@settings(max_examples=examples(300), deadline=None)
def test_a_column_reads_as_protobuf_reads_it(short: list[int], long: list[int], signed: list[int], more: bytes) -> None:
    made = Nodes(local=short, created_at=long, attribute_value=signed, ulid=b"\x08\x01")
    made = Nodes.FromString(made.SerializeToString() + more)
    too_large = 1 << 63
    expected = {
        "local": list(made.local),
        "kind": list(made.kind),
        "created_at": [value - 2 * too_large if value >= too_large else value for value in made.created_at],
        "attribute_value": list(made.attribute_value),
    }
    assert read(made)[0] == {name: values for name, values in expected.items() if values}


def test_a_long_column_is_read_in_parts() -> None:
    made = Nodes(steps=[number * 37 % 3_000_000 for number in range(300_000)])
    columns, parts = read(made)
    assert columns == {"steps": list(made.steps)}
    assert parts > 3


def test_snapshots_of_which_nothing_is_left_are_let_go() -> None:
    live, nodes = LiveGraph(RowBuffer(1_000_000), few=0), 50
    made = Message(stream_id=1, time_unix_nano=5, key_frame=True, strings=["", "n", "lock.acquire"])
    made.nodes.local.extend(range(nodes))
    made.nodes.ulid = b"".join((7 + number).to_bytes(16, "big") for number in range(nodes))
    made.nodes.name.extend([1] * nodes)
    made.nodes.wait_operation.extend([2] * nodes)
    gc.collect()
    before = kept()
    for sequence in range(1, 101):
        made.sequence, made.key_frame = sequence, sequence == 1
        del made.nodes.wait_since[:]
        made.nodes.wait_since.extend([sequence] * nodes)
        apply_snapshot(live, process_of(resource("one")), made.SerializeToString(), SECOND)
    gc.collect()
    assert kept() - before < 20
    assert {node.wait.since_ns for node in live.view().nodes.values() if node.wait is not None} == {100}


def kept() -> int:
    return sum(type(one) is Batch for one in gc.get_objects())
