# SPDX-License-Identifier: Apache-2.0
"""Log records: our own events become what they mean, everything else becomes rows of the table `log`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from peeps_otel import semconv
from peeps_otel.model import Edge, Finding, Node

from ..store.schema import Row
from .canonical import (
    Rejected,
    cut_of,
    finding_of,
    leaks_of,
    looked_of,
    node_id_of,
    node_of,
    position_of,
    source_text_of,
)
from .in_flight import CallRecord, call_of
from .resource import ProcessInfo, Scope, process_of, scope_of
from .rows import AT_ONCE, Decoded
from .silence import SilenceRecord, silence_of
from .values import attributes_of, json_text, nanoseconds, too_many_values, value_of


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
    """A finding of the process's own diagnosis. `state`: open, resolved or refuted, by the node `refuted_by`. `seal`:
    see peeps_otel/model/seal.py, empty where it has none."""

    finding: Finding
    blocked_count: int
    state: str
    refuted_by: str
    seal: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """A process has done what we asked of it. `answer`: what it said, in the words of the query API."""

    request: str
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SourceTextRecord:
    """Lines of a program's own source around `place`, `path:line`; `first`: the number of the first. `seal`: see
    peeps_otel/model/seal.py."""

    place: str
    first: int
    text: str
    seal: str


Record = (
    SilenceRecord
    | SourceTextRecord
    | AnswerRecord
    | SnapshotBody
    | NodeRecord
    | GoneRecord
    | FindingRecord
    | CallRecord
)


@dataclass(slots=True)
class DecodedLogs(Decoded):
    """The log records of one resource, at most 200: our own in order of arrival, others as rows."""

    records: list[Record] = field(default_factory=list[Record])

    @property
    def full(self) -> bool:
        return len(self.rows) + len(self.records) + len(self.rejected) >= AT_ONCE


def decode_logs(request: ExportLogsServiceRequest, now_ns: int) -> Iterator[DecodedLogs]:
    """In pieces. Never fails as a whole: a bad record is rejected, the others are kept."""
    for block in request.resource_logs:
        decoded = DecodedLogs(process := process_of(block.resource, block.schema_url))
        for part in block.scope_logs:
            scope = scope_of(part.scope, part.schema_url)
            for record in part.log_records:
                try:
                    _take(record, scope, decoded, now_ns)
                    if record.event_name == semconv.EVENT_REQUEST_IN_FLIGHT:
                        decoded.records += call_of(block, part, record)
                except Rejected as rejected:
                    decoded.rejected.append(f"process {process}: {record.event_name}: {rejected}")
                if decoded.full:
                    yield decoded
                    decoded = DecodedLogs(process)
        yield decoded


def _take(record: LogRecord, scope: Scope, decoded: DecodedLogs, now_ns: int) -> None:
    time_ns = nanoseconds(record.time_unix_nano) or nanoseconds(record.observed_time_unix_nano) or now_ns
    name = record.event_name
    if name == semconv.EVENT_SNAPSHOT:
        if record.body.WhichOneof("value") != "bytes_value":
            raise Rejected("the body is not bytes; it must be the bytes of a peeps.v1.Snapshot")
        decoded.records.append(SnapshotBody(record.body.bytes_value))
        return  # a row of its own in the table `snapshot`
    if why := too_many_values(record.ByteSize(), record.attributes, [KeyValue(value=record.body)]):
        raise Rejected(f"the record is not stored: {why}")
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
    elif name == semconv.EVENT_SOURCE_TEXT:
        decoded.records.append(SourceTextRecord(*source_text_of(attributes, value_of(record.body))))
    elif name == semconv.EVENT_LEAKS:
        decoded.records.append(AnswerRecord(*leaks_of(attributes)))
    elif name == semconv.EVENT_LOOKED:
        decoded.records.append(AnswerRecord(*looked_of(attributes)))
    elif name == semconv.EVENT_CUT:
        decoded.records.append(AnswerRecord(*cut_of(attributes)))
    decoded.rows.append(_row(record, attributes, scope, decoded.process, time_ns, now_ns))


def _row(
    record: LogRecord, attributes: dict[str, Any], scope: Scope, process: ProcessInfo, time_ns: int, now_ns: int
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
        scope.row[0],
        json_text(attributes),
        now_ns,
        nanoseconds(record.observed_time_unix_nano),
        record.flags,
        record.dropped_attributes_count,
        *scope.row[1:],
        process.key,
    )
