# SPDX-License-Identifier: Apache-2.0
"""A large request does not hold up a small one: it is cut into slices without being parsed as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs

from peeps_collector.decode.slices import SLICE_RECORDS, slices
from peeps_collector.diagnose import Diagnosis
from peeps_collector.graph.findings import FindingRegistry
from peeps_collector.graph.live import LiveGraph
from peeps_collector.pipeline import Pipeline
from peeps_collector.receive.encoding import Undecodable
from peeps_collector.receive.request import Budget, Encoding, Outcome, Request, Signal
from peeps_collector.receive.turns import Turns
from peeps_collector.store.buffer import RowBuffer
from peeps_otel.model import Finding, Graph
from tests.collector.collector_support import event, logs_request, resource

QUOTED = 'a "quoted" \\ {[,]}'


def large(records: int) -> ExportLogsServiceRequest:
    blocks = [
        ResourceLogs(
            resource=resource(f"app-{number}"),
            schema_url="r",
            scope_logs=[
                ScopeLogs(
                    log_records=[event(f"a{i}", {"n": i, "text": 'a "quoted" \\ {[,]}'}) for i in range(records)]
                ),
                ScopeLogs(schema_url="s", log_records=[event("b", body={"k": [1, 2.5, "x"]})]),
            ],
        )
        for number in range(2)
    ]
    blocks[0].scope_logs[0].scope.name = "scope"
    return ExportLogsServiceRequest(resource_logs=[*blocks, ResourceLogs(resource=resource("empty"))])


def bodies(request: ExportLogsServiceRequest) -> list[tuple[Encoding, bytes]]:
    return [
        (Encoding.PROTOBUF, request.SerializeToString()),
        (Encoding.JSON, json_format.MessageToJson(request).encode()),
        (Encoding.JSON, json_format.MessageToJson(request, preserving_proto_field_name=True).encode()),
    ]


@pytest.mark.parametrize("form", [0, 1, 2])
def test_the_slices_are_the_request(form: int) -> None:
    request = large(1000)
    encoding, body = bodies(request)[form]
    parts = [ExportLogsServiceRequest.FromString(p) for p in slices(Signal.LOGS, encoding, body) if p is not None]

    def flat(*requests: ExportLogsServiceRequest) -> list[Any]:
        return [
            (block.resource, block.schema_url, part.scope, part.schema_url, record)
            for one in requests
            for block in one.resource_logs
            for part in block.scope_logs
            for record in part.log_records
        ]

    assert flat(*parts) == flat(request)
    assert parts[-1].resource_logs[0].resource == request.resource_logs[2].resource
    assert (
        max(len(part.resource_logs[0].scope_logs[0].log_records) for part in parts if part != parts[-1])
        <= SLICE_RECORDS
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":["' + b'\\"' * 40_000,
        b"[" * 40_000,
        b'{"resourceLogs":' + b"[{" * 40_000,
        b'{"resourceLogs":[]} ' + b"x" * 40_000,
        b'{"resourceLogs":[{} {}]' + b" " * 40_000 + b"}",
        b'{"resourceLogs":[{"resource":{"attributes":[' + b"," * 40_000 + b"]}}]}",
    ],
)
def test_large_json_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(Undecodable):
        list(slices(Signal.LOGS, Encoding.JSON, body))


@pytest.mark.parametrize("cut", [1, 7, 100, 5000])
def test_protobuf_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(Undecodable):
        list(slices(Signal.LOGS, Encoding.PROTOBUF, large(300).SerializeToString()[:-cut]))


class NoDiagnoser:
    def look(self, graph: Graph, now_ns: int) -> list[Finding]:
        return []


@pytest.mark.parametrize("form", [0, 1])
def test_a_small_request_is_answered_after_a_few_slices_of_a_large_one(form: int) -> None:
    rows, turns, budget = RowBuffer(10**9), Turns(), Budget(10**9)
    live = LiveGraph(rows)
    findings = FindingRegistry(live, rows, [])
    pipeline = Pipeline(budget, live, findings, Diagnosis(live, findings, NoDiagnoser()), rows, turns=turns)
    served: list[str] = []
    encoding, body = bodies(large(3000))[form]
    small = logs_request(event("small")).SerializeToString()

    def put(name: str, kind: Encoding, content: bytes) -> None:
        def answer(outcome: Outcome) -> None:
            assert outcome == Outcome()
            served.append(name)

        assert budget.take(len(content))
        turns.put(Request(Signal.LOGS, kind, content, answer, name, 1))

    put("large", encoding, body)
    first = turns.next()
    assert first is not None
    pipeline.turn(first)
    assert served == [], "a turn is shorter than a large request"
    put("small", Encoding.PROTOBUF, small)
    count = 0
    while not served:
        request = turns.next()
        assert request is not None
        pipeline.turn(request)
        count += 1
    assert (served, count <= 2) == (["small"], True)
    turns.close()
    while (request := turns.next()) is not None:
        pipeline.turn(request)
    assert (served, budget.bytes) == (["small", "large"], 0)
    assert len(rows.take()[0]["log"]) == 6003
