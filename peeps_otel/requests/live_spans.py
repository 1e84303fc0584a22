# SPDX-License-Identifier: Apache-2.0
"""The spans of all instrumentations that have begun and not ended: which, since when, and who began them.

A span processor of the program's own provider. It runs on the program's threads, so it does as little as it can: a look
into a dictionary and a tuple. Everything else is read by the watcher from the living span.

Of the SDK's spans it reads `_kind` and `_context`, checked on 1.45.2; of others the properties.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from threading import get_ident
from time import monotonic_ns
from typing import Any, NamedTuple
from weakref import ref

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from ..model.change import Change
from ..probes.internals.asyncio_core import current_task_reader, running_loop

CHANGES = (
    Change(
        "the tracer provider of the program",
        "one more span processor, which notes which spans have begun and not ended, by weak reference; it ends, alters "
        "and exports none",
        "at the start",
        "it stays (OpenTelemetry has no way back) and does nothing once we have ended",
        "`PEEPS_REQUESTS`",
    ),
)

LIVE_MOST = 10_000
_ENDED_MOST = 1000
OK, ERROR, CANCELLED, LOST = "ok", "error", "cancelled", "lost"
_GRPC_CANCELLED = 1
_INTERNAL = SpanKind.INTERNAL


class LiveSpan(NamedTuple):
    """One unfinished span. `began_ns`: of the monotonic clock. `task`: the asyncio task that began it; None where a
    thread did that runs no loop."""

    span: ref[Any]
    began_ns: int
    thread: int
    task: ref[asyncio.Task[Any]] | None


class EndedSpan(NamedTuple):
    """The end of a span that was asked for. `state`: ok, error or cancelled; `ended_ns`: of the monotonic clock."""

    span_id: int
    state: str
    ended_ns: int
    error: str = ""


class LiveSpans(SpanProcessor):
    """`on_start` and `on_end` from any thread; everything else from the watcher's.

    At most 10 000 spans are kept, by weak reference; `refused` counts those beyond. `watched`: the ids of the spans
    whose ends are wanted, for the watcher to fill and to empty; `take_ended` gives those.
    """

    def __init__(self, most: int = LIVE_MOST) -> None:
        self._live: dict[int, tuple[ref[Any], int, int, ref[Any] | None]] = {}
        self._most = most
        self.refused = 0
        self.watched: set[int] = set()
        self._ended: deque[EndedSpan] = deque(maxlen=_ENDED_MOST)
        self._note(self._noting_starts(), self._noting_ends())

    def follow(self, provider: TracerProvider) -> None:
        """Begins with the spans that its tracers make from now on."""
        provider.add_span_processor(self)

    def _note(self, start: Callable[..., None], end: Callable[..., None]) -> None:
        """Attributes of the instance stand before the methods of the SDK's class, and no method is bound for a call."""
        vars(self).update(on_start=start, on_end=end)

    def _noting_starts(self) -> Callable[..., None]:
        """What runs for each span: a closure, and past the properties of the SDK, each of which is a call."""
        live, most, task_of = self._live, self._most, current_task_reader()

        def on_start(span: Any, parent_context: Any = None) -> None:  # noqa: ARG001 - as the SDK names it
            """Never raises: that would break the program's `start_span`."""
            try:
                kind, context = span._kind, span._context  # noqa: SLF001  a property is a call more
            except Exception:  # another SDK, or another version of it
                kind, context = _asked(span)
            try:
                if kind is _INTERNAL:
                    return
                if len(live) >= most:
                    self.refused += 1
                    return
                loop = running_loop()
                task = None if loop is None else task_of(loop)
                live[context[1]] = (ref(span), monotonic_ns(), get_ident(), None if task is None else ref(task))
            except Exception:
                return

        return on_start

    def _noting_ends(self) -> Callable[[ReadableSpan], None]:
        live, watched = self._live, self.watched

        def on_end(span: Any) -> None:
            """`span` is another object than the one that began: told apart by its id."""
            try:
                span_id = span._context[1]  # noqa: SLF001  as above
            except Exception:
                span_id = _asked(span)[1][1]
            try:
                if span_id in watched:  # first: whoever misses it among the living finds its end
                    self._ended.append(_end_of(span, span_id))
                live.pop(span_id, None)
            except Exception:
                return

        return on_end

    def spans(self) -> dict[int, LiveSpan]:
        """By span id, oldest first. What was dropped without an end is left out, and forgotten."""
        found: dict[int, LiveSpan] = {}
        for span_id, one in list(self._live.items()):
            if one[0]() is None:
                self._live.pop(span_id, None)
            else:
                found[span_id] = LiveSpan(*one)
        return found

    def get(self, span_id: int) -> LiveSpan | None:
        one = self._live.get(span_id)
        return None if one is None else LiveSpan(*one)

    def take_ended(self) -> list[EndedSpan]:
        """The ends of watched spans since the last call."""
        found: list[EndedSpan] = []
        while self._ended:
            found.append(self._ended.popleft())
        return found

    def clear(self) -> None:
        """After a fork: these are the parent's."""
        self._live.clear()
        self.watched.clear()
        self._ended.clear()

    def stop(self) -> None:
        """For good: no span is noted any more."""
        self._note(_note_nothing, _note_nothing)
        self.clear()

    def shutdown(self) -> None:
        """The provider ends; what has not ended by now may still be looked at."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


def _asked(span: Any) -> tuple[Any, Any]:
    """Kind and context of a span that does not have them where those of the SDK have; internal where it has none."""
    try:
        return span.kind, (0, span.context.span_id)
    except Exception:
        return _INTERNAL, (0, 0)


def _note_nothing(*_: object, **__: object) -> None:
    return


def _end_of(span: ReadableSpan, span_id: int) -> EndedSpan:
    """A span that ends while its task is being cancelled says nothing of that itself: the exception in flight does."""
    in_flight = sys.exc_info()[0]
    attributes: Any = span.attributes or {}
    error = attributes.get("error.type", "")
    error = error if type(error) is str else ""
    if in_flight is not None and issubclass(in_flight, asyncio.CancelledError):
        return EndedSpan(span_id, CANCELLED, monotonic_ns(), error)
    if attributes.get("rpc.grpc.status_code") == _GRPC_CANCELLED:
        return EndedSpan(span_id, CANCELLED, monotonic_ns(), error)
    failed = bool(error) or span.status.status_code is StatusCode.ERROR
    return EndedSpan(span_id, ERROR if failed else OK, monotonic_ns(), error)
