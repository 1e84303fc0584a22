# SPDX-License-Identifier: Apache-2.0
"""A tracer provider with our processor, and a look at it."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.threads.probe import ThreadProbe
from peeps_otel.requests.live_spans import LiveSpans
from peeps_otel.requests.probe import RequestProbe
from tests.support.looks import Look

TRACE, PARENT = 0xABC, 0xDEF


class World:
    """`tracer` makes spans; `look` shows them at once, however young they are."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self.spans = LiveSpans()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(self.spans)
        self.tracer = self.provider.get_tracer("shop.http")
        context = self.context = ProbeContext()
        tasks = AsyncioProbe(Recorder(1 << 62), context=context)
        self.probe = RequestProbe(context, self.spans, young_ns=0)
        self._probes = CompositeProbe([tasks, ThreadProbe(context), self.probe], context)

    @contextmanager
    def recording(self) -> Generator[None]:
        """What each task was made by is noted meanwhile."""
        self._probes.install()
        try:
            yield
        finally:
            self._probes.uninstall()

    def look(self) -> Look:
        return Look(self._probes.look(time.time_ns()))


def remote_parent(sampled: bool = True) -> Any:
    """A context as it comes off the wire."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return set_span_in_context(NonRecordingSpan(SpanContext(TRACE, PARENT, True, flags)))


CLIENT, SERVER, PRODUCER, CONSUMER, INTERNAL = (
    SpanKind.CLIENT,
    SpanKind.SERVER,
    SpanKind.PRODUCER,
    SpanKind.CONSUMER,
    SpanKind.INTERNAL,
)
