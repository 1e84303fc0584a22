# SPDX-License-Identifier: Apache-2.0
"""Spans of any sender as rows of the table `span`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ..store.schema import Row
from .resource import ProcessInfo, Scope, process_of, scope_of
from .rows import Decoded
from .values import attributes_of, json_text, nanoseconds, too_many_values

KIND_WORDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUS_WORDS = ("unset", "ok", "error")
_INNER_MOST = 5000


def _word(words: tuple[str, ...], number: int) -> str:
    return words[number] if 0 <= number < len(words) else str(number)


def decode_traces(request: ExportTraceServiceRequest, now_ns: int) -> Iterator[Decoded]:
    """The spans of each process, in pieces."""
    for block in request.resource_spans:
        found = Decoded(process := process_of(block.resource, block.schema_url))
        for part in block.scope_spans:
            scope = scope_of(part.scope, part.schema_url)
            for span in part.spans:
                take_span(span, found, scope, now_ns)
                if found.full:
                    yield found
                    found = Decoded(process)
        yield found


def take_span(span: Span, found: Decoded, scope: Scope, now_ns: int) -> None:
    """Adds the row of a span, or why there is none."""
    if why := _too_much(span):
        found.reject(f"span {span.name!r}", why)
    else:
        found.rows.append(_row(span, found.process, scope, now_ns))


def _too_much(span: Span) -> str:
    inner = len(span.events) + len(span.links)
    if inner > _INNER_MOST:
        return f"it has {inner} events and links; at most {_INNER_MOST}"
    of_inner = (item.attributes for item in chain[Any](span.events, span.links))
    return too_many_values(span.ByteSize(), span.attributes, *of_inner)


def _row(span: Span, process: ProcessInfo, scope: Scope, now_ns: int) -> Row:
    events = [
        {"time_ns": event.time_unix_nano, "name": event.name, "attributes": attributes_of(event.attributes)}
        | _known(dropped_attributes_count=event.dropped_attributes_count)
        for event in span.events
    ]
    links = [
        {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "attributes": attributes_of(link.attributes)}
        | _known(trace_state=link.trace_state, flags=link.flags, dropped_attributes_count=link.dropped_attributes_count)
        for link in span.links
    ]
    return (
        process.id,
        process.service,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex() or None,
        span.name,
        _word(KIND_WORDS, span.kind),
        nanoseconds(span.start_time_unix_nano),
        nanoseconds(span.end_time_unix_nano),
        _word(STATUS_WORDS, span.status.code),
        span.status.message or None,
        scope.row[0],
        json_text(attributes_of(span.attributes)),
        json_text(events) if events else None,
        json_text(links) if links else None,
        now_ns,
        span.trace_state or None,
        span.flags,
        span.dropped_attributes_count,
        span.dropped_events_count,
        span.dropped_links_count,
        *scope.row[1:],
        process.key,
    )


def _known(**values: str | int) -> dict[str, Any]:
    """What is not empty."""
    return {name: value for name, value in values.items() if value}
