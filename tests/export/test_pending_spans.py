# SPDX-License-Identifier: Apache-2.0
"""A call that lasts has a stand-in among the spans, in the form that Logfire wrote down; off by default."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanContext, TraceFlags, format_span_id, set_span_in_context

from peeps_otel import config
from peeps_otel.export.in_flight import InFlight
from peeps_otel.export.pending_spans import PendingSpans
from tests.export.test_in_flight import S, Story
from tests.requests.spans import CLIENT, SERVER, remote_parent


class Watched(Story):
    """With pending spans, and what a backend receives of spans."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.backend = InMemorySpanExporter()
        tracers = self.world.provider
        tracers.add_span_processor(SimpleSpanProcessor(self.backend))
        self.in_flight = InFlight(self.loggers, self.world.spans, self.world.probe, 5 * S, PendingSpans(tracers))

    def spans(self) -> list[Any]:
        found = list(self.backend.get_finished_spans())
        self.backend.clear()
        return found


def test_it_stands_in_for_the_call_until_that_ends() -> None:
    story = Watched()
    link = Link(SpanContext(7, 8, is_remote=True))
    span: Any = story.world.tracer.start_span(
        "GET", context=remote_parent(), kind=CLIENT, attributes={"http.request.method": "GET"}, links=[link]
    )
    story.look(4)
    assert story.spans() == []
    span.set_attribute("server.address", "shop")
    story.look(6)
    (pending,) = story.spans()
    real = span.get_span_context()
    assert pending.parent == real
    assert pending.context.trace_id == real.trace_id
    assert pending.context.span_id not in (0, real.span_id)
    assert pending.context.trace_flags == TraceFlags.SAMPLED
    assert dict(pending.attributes) == {
        "http.request.method": "GET",
        "server.address": "shop",
        "logfire.span_type": "pending_span",
        "logfire.pending_parent_id": format_span_id(span.parent.span_id),
    }
    assert (pending.name, pending.kind, list(pending.links)) == ("GET", CLIENT, [link])
    assert (pending.start_time, pending.end_time) == (span.start_time, span.start_time)
    assert (pending.resource, pending.instrumentation_scope) == (span.resource, span.instrumentation_scope)
    story.look(40)
    assert story.spans() == []  # once
    span.end()
    story.look(41)
    (ended,) = story.spans()
    assert (ended.context, "logfire.span_type" in ended.attributes) == (real, False)


def test_a_call_without_a_parent_says_zeros() -> None:
    story = Watched()
    span: Span = story.world.tracer.start_span("GET /x", context=set_span_in_context(INVALID_SPAN), kind=SERVER)
    story.look(6)
    (pending,) = story.spans()
    assert pending.attributes["logfire.pending_parent_id"] == "0000000000000000"
    span.end()


def test_it_is_off_by_default() -> None:
    assert config.read({}).pending_spans is False
    assert config.read({"PEEPS_PENDING_SPANS": "true"}).pending_spans is True
    story = Story()
    backend = InMemorySpanExporter()
    story.world.provider.add_span_processor(SimpleSpanProcessor(backend))
    span = story.world.tracer.start_span("GET", kind=CLIENT)
    story.look(6)
    assert backend.get_finished_spans() == ()
    span.end()
