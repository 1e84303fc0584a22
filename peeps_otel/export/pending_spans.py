# SPDX-License-Identifier: Apache-2.0
"""Pending spans, in the form that Logfire gave them: a stand-in for a call that lasts, on the way that spans take.

Its span id is its own, its parent is the unfinished span, and it takes no time. So a backend that knows nothing of
pending spans shows a call that lasts as a child without length of a span that is to come, and the unfinished span
itself is exported once, when it has ended.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanContext, format_span_id

from .. import semconv
from ..version import __version__
from .otel_names import pipeline_of

SPAN_TYPE, PENDING, REAL_PARENT = "logfire.span_type", "pending_span", "logfire.pending_parent_id"


class PendingSpans:
    """On the watcher thread only. `own`: gets the same spans as the pipeline of `provider`."""

    def __init__(self, provider: TracerProvider, own: SpanProcessor | None = None) -> None:
        self._tracer = pipeline_of(provider, semconv.SCOPE, __version__, semconv.SCHEMA_URL)
        self._own = own

    def tell(self, span: Any) -> None:
        """`span` has not ended. One that is sampled out is not told."""
        processor = getattr(self._tracer, "span_processor", None)
        if processor is None or not span.context.trace_flags.sampled:
            return
        real: SpanContext = span.context
        context = SpanContext(
            real.trace_id, self._tracer.id_generator.generate_span_id(), False, real.trace_flags, real.trace_state
        )
        parent = 0 if span.parent is None else span.parent.span_id
        pending = ReadableSpan(
            span.name,
            context=context,
            parent=real,
            resource=span.resource,
            attributes=dict(span.attributes or {}) | {SPAN_TYPE: PENDING, REAL_PARENT: format_span_id(parent)},
            kind=span.kind,
            links=span.links,
            start_time=span.start_time,
            end_time=span.start_time,
            instrumentation_scope=span.instrumentation_scope,
        )
        processor.on_end(pending)
        if self._own is not None:
            self._own.on_end(pending)
