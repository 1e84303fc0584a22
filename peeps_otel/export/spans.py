# SPDX-License-Identifier: Apache-2.0
"""Spans for what has ended and took long: a task's life, a wait.

Made after the fact, as `ReadableSpan`, and given to the program's own span pipeline and to ours: no span is started
on a hot path, and none of the program's own spans gets another parent.
"""

from __future__ import annotations

from typing import Any, cast

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from .. import semconv
from ..model import Confidence
from ..probes.patches.recorder import ORIGIN, LongWait
from ..probes.probe import EndedTask
from ..probes.source import source_text
from ..version import __version__
from ..watcher.interfaces import CycleResult
from .otel_names import InstrumentationScope, pipeline_of

_MOST = 500  # per look


class Spans:
    """On the watcher thread only. `task_ns`: shorter tasks are not told; 0: none are. `own`: gets the same
    spans as the pipeline of `provider`.

    `dropped`: tasks and waits that did not become spans, by reason. Waits shorter than the recorder's threshold are not
    among them: nobody writes them down.
    """

    def __init__(self, provider: TracerProvider, task_ns: int, own: SpanProcessor | None = None) -> None:
        self._own = own
        self._tracer = pipeline_of(provider, semconv.SCOPE, __version__, semconv.SCHEMA_URL)
        self._scope = InstrumentationScope(semconv.SCOPE, __version__, semconv.SCHEMA_URL)
        self._task_ns = task_ns
        self.dropped = {"short": 0, "too_many": 0}

    def take(self, look: CycleResult) -> None:
        long_tasks = [t for t in look.ended if self._task_ns and t.last_seen_ns - t.created_ns >= self._task_ns]
        for task in long_tasks[:_MOST]:
            self._task(task)
        for wait in look.long_waits[:_MOST]:
            self._wait(wait)
        if self._task_ns:
            self.dropped["short"] += len(look.ended) - len(long_tasks)
        self.dropped["too_many"] += max(0, len(long_tasks) - _MOST) + max(0, len(look.long_waits) - _MOST)

    def _task(self, task: EndedTask) -> None:
        # It ended between two looks: the middle is wrong by half an interval at most.
        ended = (task.last_seen_ns + task.ended_before_ns) // 2
        attributes = _code(task.source) | {
            semconv.NODE_NAME: task.name,
            semconv.CONFIDENCE: Confidence.INFERRED.value,
        }
        self._span(semconv.SPAN_TASK, task.created_ns, ended, attributes, None)

    def _wait(self, wait: LongWait) -> None:
        primitive = wait.resource()
        attributes: dict[str, Any] = _code(source_text.source_of(wait.code, wait.lasti)) | {
            semconv.CODE_FUNCTION_NAME: wait.code.co_qualname,
            semconv.NODE_NAME: wait.task_name,
        }
        if primitive is not None:
            attributes[semconv.RESOURCE_TYPE] = f"asyncio.{type(primitive).__name__}"
            name = _made_as(primitive)
            if name:
                attributes[semconv.RESOURCE_NAME] = name
        if wait.waker is not None:
            attributes[semconv.WAKER_SOURCE] = source_text.source_of(wait.waker.code, wait.waker.lasti)
            if wait.waker.task:
                attributes[semconv.WAKER_NAME] = wait.waker.task
        parent = wait.span_context if isinstance(wait.span_context, SpanContext) else None
        self._span(semconv.SPAN_WAIT, wait.began_ns, wait.ended_ns, attributes, parent)

    def _span(
        self, name: str, start_ns: int, end_ns: int, attributes: dict[str, Any], parent: SpanContext | None
    ) -> None:
        tracer = self._tracer
        processor = getattr(tracer, "span_processor", None)
        if processor is None:  # the no-op tracer of a disabled SDK
            return
        if parent is not None and not parent.is_valid:
            parent = None
        trace_id = tracer.id_generator.generate_trace_id() if parent is None else parent.trace_id
        if parent is None:
            decision = tracer.sampler.should_sample(None, trace_id, name, SpanKind.INTERNAL, attributes, ())
            sampled = decision.decision.is_sampled()
        else:
            sampled = parent.trace_flags.sampled
        if not sampled:
            return
        context = SpanContext(trace_id, tracer.id_generator.generate_span_id(), False, TraceFlags(TraceFlags.SAMPLED))
        span = ReadableSpan(
            name,
            context=context,
            parent=parent,
            resource=tracer.resource,
            attributes=attributes,
            kind=SpanKind.INTERNAL,
            start_time=start_ns,
            end_time=max(start_ns, end_ns),
            instrumentation_scope=self._scope,
        )
        processor.on_end(span)
        if self._own is not None:
            self._own.on_end(span)


def current_span_context() -> object:
    """For the recorder: the trace context of the calling task."""
    return trace.get_current_span().get_span_context()


def _made_as(primitive: object) -> str:
    """The name that a primitive was given where it was made, if that was recorded. Past any `__getattr__`."""
    try:
        origin: object = object.__getattribute__(primitive, ORIGIN)
    except AttributeError:
        return ""
    if type(origin) is not tuple:
        return ""
    code, lasti = cast("tuple[Any, ...]", origin)[:2]
    return source_text.assigned_name(code, lasti)


def _code(source: str) -> dict[str, Any]:
    path, _, line = source.rpartition(":")
    if not line.isdigit():
        return {semconv.CODE_FILE_PATH: source}
    return {semconv.CODE_FILE_PATH: path, semconv.CODE_LINE_NUMBER: int(line)}
