# SPDX-License-Identifier: Apache-2.0
"""A host whose clock is not ours: what is stuck in it is found, and is as old as it is."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from peeps_collector.decode.resource import process_of
from peeps_collector.diagnose import Diagnosis, IncrementalDiagnoser
from peeps_collector.graph.findings import FindingRegistry
from peeps_collector.graph.live import LiveGraph
from peeps_collector.graph.own_clock import OwnClock
from peeps_collector.store.buffer import RowBuffer
from peeps_otel.model import Edge, Node
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from tests.collector.collector_support import Deadlock, Program, apply_snapshot, resource

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
AGE = 43


class Host:
    """A program with a deadlock on a host whose clock is ahead of the collector's. `told`: the age of what is found, in
    seconds, after each snapshot; None where nothing is."""

    def __init__(self) -> None:
        rows = RowBuffer(1_000_000)
        self.began_ns = self.now_ns = time.time_ns()
        self._live = LiveGraph(rows)
        self._findings = FindingRegistry(self._live, rows, [])
        self._diagnosis = Diagnosis(self._live, self._findings, IncrementalDiagnoser(), clock=lambda: self.now_ns)
        self._program = Program(interval_ns=SECOND)
        self._nodes, self._edges = Deadlock(AGE * SECOND).graph()
        self._ahead_ns: int | None = None
        self.told: list[int | None] = []

    def snapshot(self, ahead_ns: int) -> None:
        """A second later. Where its clock was set, its next one is a key frame."""
        self.now_ns += SECOND
        is_set, self._ahead_ns = ahead_ns != self._ahead_ns, ahead_ns
        nodes = [moved(node, ahead_ns) for node in self._nodes] if is_set else []
        edges = [moved_edge(edge, ahead_ns) for edge in self._edges] if is_set else []
        request = self._program.snapshot(nodes, edges, key_frame=is_set)
        body = request.resource_logs[0].scope_logs[0].log_records[0].body.bytes_value
        body += Message(time_unix_nano=self.now_ns + ahead_ns - SECOND // 100).SerializeToString()
        apply_snapshot(self._live, process_of(resource()), body, self.now_ns)
        self._diagnosis.step()
        found = [round((self.now_ns - one.finding.since_ns) / SECOND) for one in self._findings.open()]
        self.told.append(found[0] if found else None)


def moved(node: Node, by_ns: int) -> Node:
    wait = None if node.wait is None else replace(node.wait, since_ns=node.wait.since_ns + by_ns)
    return replace(node, created_at=node.created_at + by_ns, wait=wait)


def moved_edge(edge: Edge, by_ns: int) -> Edge:
    return replace(edge, since_ns=None if edge.since_ns is None else edge.since_ns + by_ns)


@pytest.mark.parametrize("ahead_ns", [0, SECOND // 2, 60 * SECOND, HOUR, 20 * 365 * 24 * HOUR])
def test_a_deadlock_on_a_host_whose_clock_is_ahead_is_found_as_soon_as_any(ahead_ns: int) -> None:
    host = Host()
    for _ in range(4):
        host.snapshot(ahead_ns)
    assert host.told == [None, AGE + 2, AGE + 3, AGE + 4]


def test_a_clock_that_jumps_ahead_hides_what_is_stuck_for_one_look() -> None:
    host = Host()
    for ahead_ns in (0, 0, HOUR, HOUR, HOUR):
        host.snapshot(ahead_ns)
    assert host.told == [None, AGE + 2, None, AGE + 4, AGE + 5]


def test_a_clock_that_is_set_back_is_believed_after_three_snapshots() -> None:
    host = Host()
    for ahead_ns in (HOUR, HOUR, 0, 0, 0, 0, 0):
        host.snapshot(ahead_ns)
    assert host.told[:2] == [None, AGE + 2]
    assert host.told[-1] == AGE + 7


def test_what_was_long_on_its_way_is_not_of_a_clock_that_is_behind() -> None:
    clock, now_ns = OwnClock(), 1000 * SECOND
    late = [30, 29, 0, 20, 19, 18, 0, 0]
    assert [clock.note(now_ns - seconds * SECOND, now_ns) for seconds in late] == [
        *(False, False, False, False, False),
        *(True, True, False),
    ]
    assert clock.ahead_ns == 0
