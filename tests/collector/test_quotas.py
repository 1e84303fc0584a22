# SPDX-License-Identifier: Apache-2.0
"""A process that sends without end gets what its quota allows, and takes nothing from the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import grpc
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from peeps_collector.decode.resource import process_of
from peeps_collector.graph.live import LiveGraph
from peeps_collector.quotas import Account, Quota, Quotas
from peeps_collector.store.buffer import RowBuffer
from peeps_collector.store.schema import EDGE_CHANGE, NODE_CHANGE, SNAPSHOT
from peeps_otel.model import Edge, EdgeKind, Node, NodeKind
from peeps_otel.model.wire_decoder import WireError
from tests.collector.collector_support import Program, Running, apply_snapshot, event, logs_request, new_id, resource
from tests.support.network import Answer, http
from tests.support.waiting import eventually

ROWS = 600
FLOOD = 100
"""Records of a request."""


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("limited"), PEEPS_PROCESS_ROWS=str(ROWS))
    yield running
    running.end()


def flood(instance: str, records: int = FLOOD) -> ExportLogsServiceRequest:
    return logs_request(*[event("", body="again")] * records, source=resource(instance))


def posted(collector: Running, request: ExportLogsServiceRequest) -> Answer:
    headers = {"content-type": "application/x-protobuf"}
    return http(f"http://{collector.otlp}/v1/logs", request.SerializeToString(), headers)


def test_a_flood_is_refused_and_others_are_not(limited: Running) -> None:
    begun_s = time.monotonic()
    answers = [posted(limited, flood("loud")) for _ in range(30)]
    filled = ROWS * (time.monotonic() - begun_s) / 60
    assert {answer.status for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status == 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    said = Status.FromString(refused.body).message
    assert f"more than {ROWS} rows of spans, logs and metrics a minute (PEEPS_PROCESS_ROWS)" in said

    quiet, program, task = (
        flood("quiet"),
        Program(instance="loud"),
        Node(new_id(NodeKind.TASK), NodeKind.TASK, "t", 1, "a"),
    )
    assert posted(limited, quiet).status == 200
    limited.send(program.snapshot([task], key_frame=True))  # what it waits for is told in any case
    assert [node["id"] for node in limited.get("/api/snapshot")["nodes"]] == [task.id]

    taken = sum(answer.status == 200 for answer in answers) * FLOOD
    stored = eventually(lambda: limited.sql("SELECT count(*) FROM log WHERE process = 'quiet'")[0][0])
    assert stored == FLOOD
    assert limited.sql("SELECT count(*) FROM log WHERE process = 'loud'")[0][0] == taken <= ROWS + FLOOD + filled

    over = {"limit": "PEEPS_PROCESS_ROWS", "what": ["spans, logs and metrics"]}
    told = limited.get("/health")["quotas"]
    assert told["over"].keys() == {"loud"}
    assert over.items() <= told["over"]["loud"].items()
    assert told["refused_records"] == told["over"]["loud"]["refused"] >= FLOOD
    assert [
        one["over_quota"]["limit"] for one in limited.get("/api/processes")["processes"] if "over_quota" in one
    ] == ["PEEPS_PROCESS_ROWS"]
    assert (
        "shop/4711 sends more than PEEPS_PROCESS_ROWS allows: not all of its spans, logs" in limited.peeps("ps").stdout
    )


def test_of_a_request_of_two_processes_the_part_of_one_is_refused(limited: Running) -> None:
    both = flood("loud-2")
    both.MergeFrom(flood("quiet", 3))

    def refused_in_part() -> Any:
        """Not where there is room again meanwhile."""
        while posted(limited, flood("loud-2")).status == 200:
            pass
        said = limited.send(both).partial_success
        return said if said.rejected_log_records else None

    answer = eventually(refused_in_part)
    assert answer.rejected_log_records == FLOOD
    assert answer.error_message == (
        f"process shop (pid 4711): more than {ROWS} rows of spans, logs and metrics a minute (PEEPS_PROCESS_ROWS)"
    )


def test_by_grpc_it_is_told_when_to_come_again(limited: Running) -> None:
    with grpc.insecure_channel(limited.otlp) as channel:
        method = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
        export = cast("Callable[[bytes], object]", channel.unary_unary(method))
        bodies = [flood("loud-3").SerializeToString()] * 30
        with pytest.raises(grpc.RpcError) as refused:
            list(map(export, bodies))
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert Status.FromString(details).details[0].type_url.endswith("google.rpc.RetryInfo")


# --- the history of the graph ----------------------------------------------------------------------------------------

PROCESS = process_of(resource("one"))
SECOND = 1_000_000_000


class Watched:
    """A live graph, its clock, and the history that it has written."""

    def __init__(self, rows: int, nodes_most: int = 1000) -> None:
        self.now_s = 0.0
        self.quotas = Quotas(Quota(rows, 1 << 30), lambda: self.now_s)
        self._rows = RowBuffer(1 << 30)
        self.live = LiveGraph(self._rows, quotas=self.quotas, nodes_most=nodes_most)
        self.program = Program(instance="one")
        self.states: dict[str, str | None] = {}
        self.edges: set[tuple[str, str]] = set()
        self.snapshots = 0

    def send(
        self, nodes: Sequence[Node], edges: Sequence[Edge] = (), gone: Sequence[str] = (), key: bool = False
    ) -> int:
        """Rows that came of it."""
        request = self.program.snapshot(list(nodes), list(edges), list(gone), key)
        body = request.resource_logs[0].scope_logs[0].log_records[0].body.bytes_value
        apply_snapshot(self.live, PROCESS, body, round(self.now_s * SECOND) + 1)
        written, _ = self._rows.take()
        self.snapshots += len(written.get(SNAPSHOT.name, ()))
        for row in written[NODE_CHANGE.name].tuples if NODE_CHANGE.name in written else ():
            self.states[row[2]] = row[4] if row[3] == "upsert" else "gone"
        for row in written[EDGE_CHANGE.name].tuples if EDGE_CHANGE.name in written else ():
            (self.edges.add if row[2] == "add" else self.edges.discard)((row[4], row[5]))
        return sum(map(len, written.values()))

    def now(self) -> dict[str, str | None]:
        return {node.id: node.state for node in self.live.view().nodes.values()}

    def alive(self) -> dict[str, str | None]:
        """By the history."""
        return {node_id: state for node_id, state in self.states.items() if state != "gone"}


def tasks(count: int, state: str, ids: Sequence[str] = ()) -> list[Node]:
    known = ids or [new_id(NodeKind.TASK) for _ in range(count)]
    return [Node(one, NodeKind.TASK, "t", 1, "a.py:1", state=state) for one in known]


def test_the_history_is_late_and_the_graph_is_not() -> None:
    watched = Watched(rows=30)
    first = tasks(10, "at 0")
    watched.send(first, key=True)
    ids = [node.id for node in first]
    link = Edge(EdgeKind.NEEDS, ids[0], ids[1])
    for turn in range(1, 20):
        watched.send(tasks(10, f"at {turn}", ids), [link] if turn == 5 else ())
    assert set(watched.now().values()) == {"at 19"}
    assert set(watched.alive().values()) < {"at 0", "at 1", "at 2"}
    assert watched.live.processes()["one"].coverage_notes()[0] == (
        "history is late, and has only the newest state of each node: "
        "more than 30 rows of the history of its graph a minute (PEEPS_PROCESS_ROWS)"
    )
    assert watched.quotas.over()["one"]["what"] == ["the history of its graph"]

    new = tasks(1, "new")
    watched.send(new, gone=ids[5:])
    before = watched.snapshots
    watched.now_s = 60.0
    watched.send([])
    assert watched.alive() == watched.now() == {**dict.fromkeys(ids[:5], "at 19"), new[0].id: "new"}
    assert watched.edges == set()
    assert watched.snapshots == before + 1
    assert watched.send(tasks(5, "as ever", ids[:5])) == 6


def test_an_end_is_written_whatever_the_quota() -> None:
    watched = Watched(rows=5)
    nodes = tasks(6, "at 0")
    watched.send(nodes, key=True)
    watched.send(tasks(3, "at 1", [node.id for node in nodes[:3]]))
    watched.program.interval_ns = 0
    watched.send([], key=True)
    assert (watched.now(), watched.alive()) == ({}, {})


def test_nodes_beyond_the_limit_are_not_taken() -> None:
    watched = Watched(rows=1000, nodes_most=5)
    nodes = tasks(5, "at 0")
    watched.send(nodes, key=True)
    watched.send(tasks(5, "at 1", [node.id for node in nodes]))
    with pytest.raises(WireError, match=r"6 nodes would be alive, more than 5 \(PEEPS_PROCESS_NODES\)"):
        watched.send(tasks(1, "one more"))
    assert set(watched.now().values()) == {"at 1"}


def test_an_account_fills_with_time_and_each_is_its_own() -> None:
    now_s = 0.0
    quotas = Quotas(Quota(60, 6000), lambda: now_s)
    assert quotas.take("a", Account.TELEMETRY, 1, 6300) is None
    refused = quotas.take("a", Account.TELEMETRY, 1, 1, records=1)
    assert refused is not None
    assert refused.reason == "more than 6000 bytes of spans, logs and metrics a minute (PEEPS_PROCESS_BYTES)"
    assert refused.wait_s == pytest.approx(3.0)
    assert quotas.take("a", Account.GRAPH, 1, 1) is quotas.take("b", Account.TELEMETRY, 1, 1) is None
    now_s = 3.1
    assert quotas.take("a", Account.TELEMETRY, 1, 1) is None
