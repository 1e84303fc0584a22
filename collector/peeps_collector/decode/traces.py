# SPDX-License-Identifier: Apache-2.0
"""Spans of any sender as rows of the table `span`."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ..store.schema import Row
from .resource import ProcessInfo, process_of
from .values import attributes_of, json_text, nanoseconds

_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
_STATUS = ("unset", "ok", "error")


def _word(words: tuple[str, ...], number: int) -> str:
    return words[number] if 0 <= number < len(words) else str(number)


def decode_traces(request: ExportTraceServiceRequest, now_ns: int) -> list[tuple[ProcessInfo, list[Row]]]:
    """The spans of each process."""
    found: list[tuple[ProcessInfo, list[Row]]] = []
    for block in request.resource_spans:
        process = process_of(block.resource)
        rows = [_row(span, process, part.scope.name, now_ns) for part in block.scope_spans for span in part.spans]
        found.append((process, rows))
    return found


def _row(span: Span, process: ProcessInfo, scope: str, now_ns: int) -> Row:
    events = [
        {"time_ns": event.time_unix_nano, "name": event.name, "attributes": attributes_of(event.attributes)}
        for event in span.events
    ]
    links = [
        {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "attributes": attributes_of(link.attributes)}
        for link in span.links
    ]
    return (
        process.id,
        process.service,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex() or None,
        span.name,
        _word(_KINDS, span.kind),
        nanoseconds(span.start_time_unix_nano),
        nanoseconds(span.end_time_unix_nano),
        _word(_STATUS, span.status.code),
        span.status.message or None,
        scope,
        json_text(attributes_of(span.attributes)),
        json_text(events) if events else None,
        json_text(links) if links else None,
        now_ns,
    )
