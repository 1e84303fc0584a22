# SPDX-License-Identifier: Apache-2.0
"""Log records: our own events become what they mean, everything else becomes rows of the table `log`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from peeps_otel import semconv
from peeps_otel.model import Edge, Finding, Node

from ..store.schema import Row
from .canonical import Rejected, finding_of, leaks_of, node_id_of, node_of, position_of
from .resource import ProcessInfo, process_of
from .silence import SilenceRecord, silence_of
from .values import attributes_of, json_text, nanoseconds, value_of


@dataclass(frozen=True, slots=True)
class SnapshotBody:
    """The bytes of a snapshot; only the receiver knows the stream's state, so it decodes them."""

    body: bytes


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A readable node. `stream_id`, `sequence`: the snapshot it belongs to, None where it does not say."""

    node: Node
    edges: list[Edge]
    stream_id: int | None
    sequence: int | None
    time_ns: int


@dataclass(frozen=True, slots=True)
class GoneRecord:
    node_id: str
    stream_id: int | None
    sequence: int | None
    time_ns: int


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """A finding of the process's own diagnosis. `state`: open, resolved or refuted, by the node `refuted_by`."""

    finding: Finding
    blocked_count: int
    state: str
    refuted_by: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class LeaksRecord:
    """A process has looked for leaks. `answer`: what it said, in the words of the query API."""

    request: str
    answer: dict[str, Any]


Record = SilenceRecord | LeaksRecord | SnapshotBody | NodeRecord | GoneRecord | FindingRecord


@dataclass(slots=True)
class DecodedLogs:
    """The log records of one resource: our own in order of arrival, others as rows, and why some were rejected."""

    process: ProcessInfo
    records: list[Record] = field(default_factory=list[Record])
    rows: list[Row] = field(default_factory=list[Row])
    rejected: list[str] = field(default_factory=list[str])


def decode_logs(request: ExportLogsServiceRequest, now_ns: int) -> list[DecodedLogs]:
    """Never fails as a whole: a bad record is rejected, the others are kept."""
    found: list[DecodedLogs] = []
    for block in request.resource_logs:
        decoded = DecodedLogs(process_of(block.resource))
        for part in block.scope_logs:
            for record in part.log_records:
                try:
                    _take(record, part.scope.name, decoded, now_ns)
                except Rejected as rejected:
                    decoded.rejected.append(f"process {decoded.process}: {record.event_name}: {rejected}")
        found.append(decoded)
    return found


def _take(record: LogRecord, scope: str, decoded: DecodedLogs, now_ns: int) -> None:
    time_ns = nanoseconds(record.time_unix_nano) or nanoseconds(record.observed_time_unix_nano) or now_ns
    name = record.event_name
    if name == semconv.EVENT_SNAPSHOT:
        if record.body.WhichOneof("value") != "bytes_value":
            raise Rejected("the body is not bytes; it must be the bytes of a peeps.v1.Snapshot")
        decoded.records.append(SnapshotBody(record.body.bytes_value))
        return  # a row of its own in the table `snapshot`
    attributes = attributes_of(record.attributes)
    if name == semconv.EVENT_NODE:
        node, edges = node_of(attributes)
        decoded.records.append(NodeRecord(node, edges, *position_of(attributes), time_ns))
    elif name == semconv.EVENT_NODE_GONE:
        decoded.records.append(GoneRecord(node_id_of(attributes), *position_of(attributes), time_ns))
    elif name == semconv.EVENT_FINDING:
        decoded.records.append(FindingRecord(*finding_of(attributes), time_ns))
    elif name == semconv.EVENT_STACKS:
        decoded.records.append(silence_of(attributes, value_of(record.body), time_ns))
    elif name == semconv.EVENT_LEAKS:
        decoded.records.append(LeaksRecord(*leaks_of(attributes)))
    decoded.rows.append(_row(record, attributes, scope, decoded.process, time_ns, now_ns))


def _row(
    record: LogRecord, attributes: dict[str, Any], scope: str, process: ProcessInfo, time_ns: int, now_ns: int
) -> Row:
    body = value_of(record.body)
    return (
        process.id,
        process.service,
        time_ns,
        record.severity_number,
        record.severity_text or None,
        record.event_name or None,
        body if isinstance(body, str) else None if body is None else json_text(body),
        record.trace_id.hex() or None,
        record.span_id.hex() or None,
        scope,
        json_text(attributes),
        now_ns,
    )
