# SPDX-License-Identifier: Apache-2.0
"""What goes on to the head: the graphs of all programs of a collector, in few requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from peeps_collector.lake.relay import Relay, our_events, together
from peeps_collector.receive.request import Encoding, Signal
from tests.collector.collector_support import Deadlock, Program, Running, event, logs_request
from tests.support.waiting import eventually


@pytest.fixture
def head(tmp_path: Path) -> Iterator[Running]:
    """Somebody who takes OTLP."""
    running = Running(tmp_path)
    yield running
    running.end()


def test_the_graphs_of_many_programs_arrive_in_few_requests(head: Running) -> None:
    relay = Relay({}, 64 << 20)
    relay.start()
    relay.send_to(f"http://{head.otlp}")
    for number in range(300):
        nodes, edges = Deadlock().graph()
        program = Program(f"app-{number}", pid=1000 + number, stream_id=number + 1)
        body = program.snapshot(nodes, edges, key_frame=True).SerializeToString()
        relay.offer(Signal.LOGS, Encoding.PROTOBUF, body)
    eventually(lambda: head.get("/health")["received"]["snapshots"] == 300)
    status = relay.status()
    relay.stop()
    assert status is not None
    assert (status["dropped"], status["rejected"]) == (0, 0)
    assert 1 <= status["sent"] <= 30
    assert len(head.get("/api/processes")["processes"]) == 300


def test_the_programs_own_logs_stay() -> None:
    ours = event("peeps.snapshot", body=b"x")
    request = logs_request(event("", body="peeps.snapshot is a word here"), ours, event("peeps.client_error"))
    kept = ExportLogsServiceRequest.FromString(our_events(Encoding.PROTOBUF, request.SerializeToString()))
    assert [record.event_name for record in kept.resource_logs[0].scope_logs[0].log_records] == ["peeps.snapshot"]
    alone = logs_request(event("order.paid", body="peeps."))
    assert our_events(Encoding.PROTOBUF, alone.SerializeToString()) == b""


def test_requests_are_put_together_in_their_order() -> None:
    bodies = [logs_request(event(f"peeps.{number}")).SerializeToString() for number in range(10)]
    size = len(bodies[0])
    found = [ExportLogsServiceRequest.FromString(body) for body in together(bodies, 4 * size)]
    names = [[block.scope_logs[0].log_records[0].event_name for block in one.resource_logs] for one in found]
    assert names == [[f"peeps.{n}" for n in range(4)], [f"peeps.{n}" for n in range(4, 8)], ["peeps.8", "peeps.9"]]


def test_what_has_no_room_is_counted() -> None:
    relay = Relay({}, 100)
    relay.send_to("http://127.0.0.1:9")
    relay.offer(Signal.LOGS, Encoding.PROTOBUF, b"peeps." * 20)
    status = relay.status()
    relay.stop()
    assert status is not None
    assert status["dropped"] == 1
