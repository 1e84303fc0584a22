# SPDX-License-Identifier: Apache-2.0
"""The persistence boundary: what is rejected, with which words, and that nothing else is lost by it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peeps_collector.decode.aliases import why_refused
from peeps_collector.decode.canonical import Rejected, node_of
from peeps_collector.decode.logs import decode_logs
from peeps_collector.decode.resource import process_of
from peeps_collector.pipeline import shortened
from peeps_otel import semconv
from peeps_otel.model import NodeKind
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from tests.collector.collector_support import Program, Running, event, logs_request, new_id, resource
from tests.support.examples import examples
from tests.support.waiting import eventually

TASK = new_id(NodeKind.TASK)
GOOD: dict[str, Any] = {
    semconv.NODE_ID: TASK,
    semconv.CREATED_AT: 1_795_000_000_000_000_000,
    semconv.SOURCE: "app.py:12",
}


def test_the_least_a_node_needs() -> None:
    node, edges = node_of(GOOD)
    assert (node.id, node.kind, node.source, edges) == (TASK, NodeKind.TASK, "app.py:12", [])


@pytest.mark.parametrize("prefix", ["", "peeps."])
@pytest.mark.parametrize("alias", sorted(semconv.LEGACY_ALIASES))
def test_names_of_earlier_contracts_are_rejected(alias: str, prefix: str) -> None:
    with pytest.raises(Rejected, match=TASK) as caught:
        node_of(GOOD | {prefix + alias: "x"})
    assert prefix + alias in str(caught.value)
    assert "canonical" in str(caught.value)


@pytest.mark.parametrize("end", ["request", "response"])
@pytest.mark.parametrize(
    "alias",
    [
        "correlation",
        "correlation_id",
        "correlation.key",
        "method",
        "method_name",
        "method.id",
        "status",
        "status_code",
        "state",
        "id",
        "trace_id",
        "started_at",
        "started_at_ns",
        "completed_at_ns",
        "handled_at_ns",
        "queued_at_ns",
        "cancelled_at",
        "elapsed_ns",
        "elapsed",
        "duration",
        "duration_ms",
        "start_time",
        "timestamp",
        "Method",
        "rpc.method",
        "http_status",
        "statuscode",
        "code",
        "correlationid",
        "trace.id",
        "timing",
        "time_to_first_byte",
        "began",
        "first_byte_ms",
    ],
)
def test_so_is_everything_of_their_kind(end: str, alias: str) -> None:
    for key in (f"{end}.{alias}", f"peeps.{end}.{alias}", f"{end}_{alias}"):
        with pytest.raises(Rejected, match="canonical"):
            node_of(GOOD | {key: "x"})


def test_a_long_name_costs_no_more_than_its_length() -> None:
    """By a pattern that could be matched in many ways, this one would take hours."""
    key = "request." + "a_" * 90 + "b"
    assert key in node_of(GOOD | {key: "x"})[0].attributes


def test_no_name_of_ours_is_one_of_them() -> None:
    ours = {value for value in vars(semconv).values() if isinstance(value, str)}
    assert not {name for name in ours if why_refused(name)}


@pytest.mark.parametrize("key", ["requestId", "request-status", "responseStatusCode", "peeps.request.correlationId"])
def test_and_however_it_is_written(key: str) -> None:
    with pytest.raises(Rejected, match=f"{key} is a name of an earlier contract"):
        node_of(GOOD | {key: "x"})


def test_names_that_only_look_like_them_are_taken() -> None:
    others = ["http.request.method", "http.response.status_code", "rpc.request.metadata", "aws.request_id", "requests"]
    others += ["request.body.size", "response.headers", "request.connection", "server.request.method", "requested_at"]
    node, _ = node_of(GOOD | dict.fromkeys(others, "x"))
    assert set(others) <= set(node.attributes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({semconv.NODE_ID: None}, "peeps.node.id is missing"),
        ({semconv.NODE_ID: 7}, "peeps.node.id is an integer (7), a string is expected"),
        ({semconv.NODE_ID: "  "}, "peeps.node.id is blank"),
        ({semconv.NODE_ID: "task"}, "is not `kind:ULID`"),
        ({semconv.NODE_ID: "dog:01ARZ3NDEKTSV4RRFFQ69G5FAV"}, "known kind"),
        ({semconv.NODE_ID: "task:1"}, "not a ULID"),
        ({semconv.CREATED_AT: None}, "peeps.created_at is missing"),
        ({semconv.CREATED_AT: 0}, "peeps.created_at=0 is not greater than 0"),
        ({semconv.CREATED_AT: -5}, "peeps.created_at=-5"),
        ({semconv.CREATED_AT: "1795000000000000000"}, "peeps.created_at is a string"),
        ({semconv.CREATED_AT: 1.5}, "peeps.created_at is a double"),
        ({semconv.CREATED_AT: True}, "peeps.created_at is a bool"),
        ({semconv.SOURCE: None}, "peeps.source is missing"),
        ({semconv.SOURCE: ""}, "peeps.source is blank"),
        ({semconv.SOURCE: " \t"}, "peeps.source is blank"),
        ({semconv.SOURCE: "app.py"}, "is not `path:line`"),
        ({semconv.SOURCE: ["app.py:1"]}, "peeps.source is an array"),
        ({semconv.METHOD: 5}, "peeps.method is an integer"),
        ({semconv.CORRELATION: True}, "peeps.correlation is a bool"),
        ({semconv.STATE: 5}, "peeps.state is an integer"),
        ({semconv.PROVIDERS: "nobody"}, "peeps.providers='nobody' is not one of closed, estimated, open"),
        ({semconv.WAIT_OPERATION: "lock.acquire"}, "peeps.wait.since is missing"),
        ({semconv.EDGES: "x"}, "peeps.edges is a string"),
        ({semconv.EDGES: [{"dst": "x"}]}, "peeps.edges[0]: kind is missing"),
        ({semconv.EDGES: [{"kind": "needs"}]}, "peeps.edges[0]: dst is missing"),
    ],
)
def test_what_is_missing_or_wrong_is_named(change: dict[str, Any], words: str) -> None:
    attributes = {key: value for key, value in (GOOD | change).items() if value is not None}
    with pytest.raises(Rejected) as caught:
        node_of(attributes)
    assert words in str(caught.value)


def test_one_bad_record_costs_only_itself_and_nothing_that_was_stored(collector: Running) -> None:
    one, two = new_id(NodeKind.TASK), new_id(NodeKind.TASK)
    collector.send(logs_request(event("peeps.node", GOOD | {semconv.NODE_ID: one})))
    answer = collector.send(
        logs_request(
            event("peeps.node", GOOD | {semconv.NODE_ID: one, "request_id": "r"}),
            event("peeps.node", GOOD | {semconv.NODE_ID: two}),
            event("peeps.node.gone", {}),
            event("peeps.finding", {"peeps.finding.id": "deadlock:1", "peeps.finding.state": "maybe"}),
            event("peeps.snapshot", body=b"\xff\xff"),
            event("peeps.snapshot", body="text"),
            event("note", body="kept"),
        )
    )
    partial = answer.partial_success
    assert partial.rejected_log_records == 5
    message = partial.error_message
    assert f"process shop (pid 4711): peeps.node: node {one}: request_id is a name of an earlier contract" in message
    assert "peeps.node.gone: peeps.node.id is missing" in message
    assert "peeps.finding: finding deadlock:1: peeps.finding.state='maybe' is neither open nor resolved" in message
    assert "body is not a peeps.v1.Snapshot" in message
    assert "the body is not bytes" in message
    assert {n["id"] for n in collector.get("/api/snapshot")["nodes"]} == {one, two}
    assert collector.get("/health")["rejected"] == {"records": 5}
    eventually(lambda: collector.sql("SELECT body FROM log WHERE event_name = 'note'") == [["kept"]])


def test_a_snapshot_that_points_outside_its_tables_is_rejected_and_the_stream_goes_on(collector: Running) -> None:
    program = Program()
    collector.send(program.snapshot([], key_frame=True))
    broken = Message(stream_id=program.stream_id, sequence=2, time_unix_nano=time.time_ns())
    broken.nodes.local.append(1)  # but no ULID
    body = broken.SerializeToString()
    assert collector.send(program.request(event("peeps.snapshot", body=body))).partial_success.rejected_log_records
    program.sequence = 2
    assert not collector.send(program.snapshot([])).HasField("partial_success")
    assert collector.get("/api/processes")["processes"][0]["missed"] == 1


def test_the_reasons_stay_under_4_kib() -> None:
    message = shortened([f"reason {i} " + "ä" * 300 for i in range(1000)])
    assert len(message.encode()) < 4096
    assert message.endswith("more reasons")
    assert shortened(["same"] * 50) == "same"


def test_a_process_without_an_instance_id_keeps_one_of_its_own() -> None:
    one, two = process_of(resource(instance="")), process_of(resource(instance="", pid=2))
    assert one.id == process_of(resource(instance="")).id
    assert one.id != two.id


_QUICK = settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_QUICK
@given(st.binary(max_size=200))
def test_no_body_of_a_snapshot_breaks_the_decoder(body: bytes) -> None:
    list(decode_logs(logs_request(event("peeps.snapshot", body=body)), time.time_ns()))


_VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.floats() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@_QUICK
@given(st.dictionaries(st.sampled_from(sorted(v for v in vars(semconv).values() if isinstance(v, str))), _VALUES))
def test_no_attributes_break_the_boundary(attributes: dict[str, Any]) -> None:
    for name in ("peeps.node", "peeps.node.gone", "peeps.finding"):
        (decoded,) = decode_logs(logs_request(event(name, attributes | GOOD), event(name, attributes)), time.time_ns())
        assert len(decoded.rejected) + len(decoded.records) == 2
