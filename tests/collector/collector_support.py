# SPDX-License-Identifier: Apache-2.0
"""What the collector's tests send, and a collector to send it to."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from peeps_collector.decode.resource import ProcessInfo
from peeps_collector.graph.live import LiveGraph
from peeps_otel.model import (
    Edge,
    EdgeKind,
    EvidenceStep,
    Finding,
    FindingKind,
    Frame,
    Level,
    Node,
    NodeKind,
    Providers,
    Snapshot,
    Wait,
    finding_id,
)
from peeps_otel.model.ulid import UlidSource, ulid_text
from peeps_otel.model.wire import Encoder
from tests.support.collector import Collector
from tests.support.network import http

_ULIDS = UlidSource()


def any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in cast("list[object]", value)]))
    return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))


def key_values(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def resource(instance: str = "app-1", service: str = "shop", pid: int = 4711) -> Resource:
    attributes: dict[str, Any] = {"service.name": service, "process.pid": pid, "host.name": "here"}
    if instance:
        attributes["service.instance.id"] = instance
    return Resource(attributes=key_values(attributes))


def logs_request(*records: LogRecord, source: Resource | None = None) -> ExportLogsServiceRequest:
    block = ResourceLogs(resource=source or resource(), scope_logs=[ScopeLogs(log_records=records)])
    return ExportLogsServiceRequest(resource_logs=[block])


def event(
    name: str, attributes: dict[str, Any] | None = None, body: Any = None, time_ns: int | None = None
) -> LogRecord:
    record = LogRecord(
        event_name=name, time_unix_nano=time_ns or time.time_ns(), attributes=key_values(attributes or {})
    )
    if body is not None:
        record.body.CopyFrom(any_value(body))
    return record


def new_id(kind: NodeKind) -> str:
    return f"{kind}:{ulid_text(_ULIDS.new())}"


@dataclass
class Program:
    """A watched program that sends snapshots: encodes what it is given as one stream."""

    instance: str = "app-1"
    service: str = "shop"
    pid: int = 4711
    stream_id: int = 0x51AB
    sequence: int = 0
    interval_ns: int = 60_000_000_000  # so that it is not silent for a slow test
    encoder: Encoder = field(default_factory=Encoder)
    coverage: list[str] = field(default_factory=list[str])
    secret: int = 0

    def snapshot(
        self, nodes: list[Node], edges: list[Edge] | None = None, gone: list[str] | None = None, key_frame: bool = False
    ) -> ExportLogsServiceRequest:
        self.sequence += 1
        body = self.encoder.encode(
            Snapshot(
                stream_id=self.stream_id,
                sequence=self.sequence,
                time_ns=time.time_ns(),
                key_frame=key_frame,
                nodes=nodes,
                edges=edges or [],
                gone=gone or [],
                cpu_ns=1000,
                interval_ns=self.interval_ns,
                coverage=self.coverage,
                secret=self.secret,
            )
        )
        return self.request(event("peeps.snapshot", body=body))

    def request(self, *records: LogRecord) -> ExportLogsServiceRequest:
        return logs_request(*records, source=resource(self.instance, self.service, self.pid))

    def restart(self) -> None:
        self.stream_id += 1
        self.sequence = 0
        self.encoder = Encoder()


@dataclass
class Deadlock:
    """Two tasks, two locks, each task holds one and waits for the other; and a third task behind them."""

    age_ns: int = 43_000_000_000
    a: str = field(default_factory=lambda: new_id(NodeKind.TASK))
    b: str = field(default_factory=lambda: new_id(NodeKind.TASK))
    tail: str = field(default_factory=lambda: new_id(NodeKind.TASK))
    db: str = field(default_factory=lambda: new_id(NodeKind.LOCK))
    cache: str = field(default_factory=lambda: new_id(NodeKind.LOCK))

    def graph(self) -> tuple[list[Node], list[Edge]]:
        since = time.time_ns() - self.age_ns
        born = since - 1_000_000_000
        library = Frame("Lock.acquire", "/usr/lib/python3.11/asyncio/locks.py", 120, "Python")
        nodes: list[Node] = []
        edges: list[Edge] = []
        for task, name, function, line, lock in (
            (self.a, "worker-a", "move", 31, self.cache),
            (self.b, "worker-b", "audit", 47, self.db),
            (self.tail, "worker-c", "report", 60, self.db),
        ):
            nodes.append(
                Node(
                    id=task,
                    kind=NodeKind.TASK,
                    name=name,
                    created_at=born,
                    source="app.py:80",
                    state="waiting",
                    providers=Providers.CLOSED,
                    wait=Wait("lock.acquire", self._since(since), f"app.py:{line}", exact=True),
                    stack=(Frame("main", "app.py", 80, ""), Frame(function, "app.py", line, ""), library),
                    steps=4,
                )
            )
            edges.append(Edge(EdgeKind.NEEDS, task, lock, self._since(since), f"app.py:{line}"))
        for lock, name, holder, line in ((self.db, "db", self.a, 29), (self.cache, "cache", self.b, 45)):
            nodes.append(Node(lock, NodeKind.LOCK, name, born, "app.py:9", providers=Providers.CLOSED))
            edges.append(Edge(EdgeKind.HELD_BY, lock, holder, self._since(since), f"app.py:{line}"))
        return nodes, edges

    _fixed: int = 0

    def _since(self, since: int) -> int:
        self._fixed = self._fixed or since
        return self._fixed

    def finding(self, level: Level = Level.PROVEN) -> Finding:
        since = time.time_ns() - self.age_ns
        core = [self.a, self.b, self.db, self.cache]
        return Finding(
            id=finding_id(FindingKind.DEADLOCK, core),
            kind=FindingKind.DEADLOCK,
            level=level,
            title="worker-a waits for Lock cache, held by worker-b, which waits for Lock db, held by worker-a",
            since_ns=since,
            core=core,
            cycle=[self.a, self.cache, self.b, self.db],
            blocked=[self.tail],
            evidence=[
                EvidenceStep(self.a, self.cache, self.b, since, "worker-a waits", "app.py:31", since, "app.py:45"),
                EvidenceStep(self.b, self.db, self.a, since, "worker-b waits", "app.py:47", since, "app.py:29"),
            ],
            advice="take the two locks in the same order everywhere",
        )


class Running(Collector):
    """A collector that runs, and what is sent to it."""

    forked = True

    def send(self, message: Message) -> ExportLogsServiceResponse:
        """Sends logs by HTTP; the decoded answer."""
        answer = http(
            f"http://{self.otlp}/v1/logs", message.SerializeToString(), {"content-type": "application/x-protobuf"}
        )
        assert answer.status == 200, answer.body
        return ExportLogsServiceResponse.FromString(answer.body)


def apply_snapshot(live: LiveGraph, process: ProcessInfo, body: bytes, now_ns: int) -> None:
    """Applies one to a live graph, all of its slices at once."""
    for _ in live.snapshot_steps(process, body, now_ns):
        pass


def finding_event(finding: Finding, state: str, blocked: int = 0, refuted_by: str = "") -> LogRecord:
    attributes = {
        "peeps.finding.id": finding.id,
        "peeps.finding.kind": finding.kind.value,
        "peeps.finding.level": finding.level.value,
        "peeps.finding.title": finding.title,
        "peeps.finding.state": state,
        "peeps.finding.since": finding.since_ns,
        "peeps.finding.core": finding.core,
        "peeps.finding.cycle": finding.cycle,
        "peeps.finding.blocked.count": blocked,
        "peeps.finding.advice": finding.advice,
        "peeps.finding.evidence": [
            {key: value for key, value in asdict(link).items() if value is not None} for link in finding.evidence
        ],
    }
    if refuted_by:
        attributes["peeps.finding.refuted_by"] = refuted_by
    return event("peeps.finding", attributes)
