# SPDX-License-Identifier: Apache-2.0
"""Calls that were told to last, of a process that ends: which are lost, and what is said of them then."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from peeps_collector.calls_told import CallsTold
from peeps_collector.decode.in_flight import CallRecord
from peeps_collector.decode.logs import SnapshotBody, decode_logs
from peeps_collector.decode.resource import ProcessInfo
from peeps_collector.graph.live import LiveGraph
from peeps_collector.store.buffer import RowBuffer
from peeps_otel import semconv
from peeps_otel.model import NodeKind
from tests.collector.collector_support import Program, apply_snapshot, event, new_id

SECOND = 1_000_000_000
BEGIN = 1_800_000_000 * SECOND
CALL = new_id(NodeKind.RESPONSE)


class World:
    """One process, on a clock of the test's. `full`: nothing more is taken in."""

    def __init__(self) -> None:
        self.live = LiveGraph(RowBuffer(1000))
        self.full = False
        self.now_ns = BEGIN
        self.program = Program(interval_ns=SECOND)
        self.said: list[tuple[int, str, dict[str, Any]]] = []
        self.calls = CallsTold(self.live, self._put_in)
        self.info = self._take(self.program.snapshot([], key_frame=True))

    def tell(self, state: str, node: str = CALL) -> None:
        """The process says of a call that it lasts, or how it ended."""
        said = {
            semconv.NODE_ID: node,
            semconv.NODE_KIND: "response",
            semconv.METHOD: "GET /stock",
            semconv.STATE: state,
            semconv.CREATED_AT: BEGIN - 7 * SECOND,
            semconv.RPC_REASON: "stock sleeps",
        }
        self._take(self.program.request(event(semconv.EVENT_REQUEST_IN_FLIGHT, said, "lasts", BEGIN)))

    def killed(self) -> None:
        """Its sidecar tells: of another machine it is believed once the process is silent."""
        self.live.ended(self.info.id, self.program.pid, "ended without a goodbye")

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now_ns += SECOND
            self.live.expire(self.now_ns)
            self.calls.step(self.now_ns)

    def _take(self, request: Any) -> ProcessInfo:
        (decoded,) = decode_logs(request, self.now_ns)
        for record in decoded.records:
            if isinstance(record, SnapshotBody):
                apply_snapshot(self.live, decoded.process, record.body, self.now_ns)
            elif isinstance(record, CallRecord):
                self.calls.told(decoded.process, record)
        self.live.seen(decoded.process, self.now_ns)
        return decoded.process

    def _put_in(self, body: bytes) -> bool:
        if self.full:
            return False
        request = ExportLogsServiceRequest.FromString(body)
        (decoded,) = decode_logs(request, self.now_ns)
        (record,) = request.resource_logs[0].scope_logs[0].log_records
        attributes = {one.key: one.value.string_value or one.value.int_value for one in record.attributes}
        assert decoded.process.id == self.info.id
        self.said.append((record.time_unix_nano, record.body.string_value, attributes))
        return True


def test_a_killed_process_leaves_its_calls_lost_and_each_is_told_once() -> None:
    world = World()
    world.tell("pending")
    world.tell("pending")
    world.pass_time(5)
    assert world.said == []
    world.killed()
    world.pass_time(10)
    ((time_ns, body, attributes),) = world.said
    # Its last snapshot is of the real clock, which stands before the test's.
    assert time_ns == BEGIN
    assert body == "response GET /stock was lost, after 7 s: shop (pid 4711) has ended"
    assert attributes == {
        semconv.NODE_ID: CALL,
        semconv.NODE_KIND: "response",
        semconv.METHOD: "GET /stock",
        semconv.STATE: "lost",
        semconv.CREATED_AT: BEGIN - 7 * SECOND,
        semconv.RPC_ELAPSED: 7 * SECOND,
    }


def test_what_the_process_says_itself_at_its_end_is_enough() -> None:
    world = World()
    other = new_id(NodeKind.REQUEST)
    world.tell("pending")
    world.tell("pending", other)
    world.tell("ok", other)
    world.killed()
    world.pass_time(2)
    world.tell("lost")
    world.pass_time(10)
    assert world.said == []


def test_nothing_is_said_of_a_process_that_is_there_and_silent() -> None:
    world = World()
    world.tell("pending")
    world.pass_time(50)
    assert world.said == []


def test_what_cannot_be_taken_in_now_is_tried_again() -> None:
    world = World()
    world.tell("pending")
    world.killed()
    world.full = True
    world.pass_time(10)
    assert world.said == []
    world.full = False
    world.pass_time(1)
    assert [attributes[semconv.STATE] for _, _, attributes in world.said] == ["lost"]


def test_no_more_calls_of_one_process_are_kept_than_its_share() -> None:
    world = World()
    for _ in range(2001):
        world.tell("pending", new_id(NodeKind.RESPONSE))
    world.killed()
    world.pass_time(10)
    assert len(world.said) == 2000
