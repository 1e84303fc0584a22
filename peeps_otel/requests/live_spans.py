# SPDX-License-Identifier: Apache-2.0
"""The spans of all instrumentations that have begun and not ended: which, since when, and who began them.

A span processor of the program's own provider. It runs on the program's threads, so it does as little as it can: a weak
reference with two facts at the beginning, and nothing at the end, of which the span's own death tells. Everything else
is read by the watcher from the living span.

Of the SDK's spans it reads `_kind` and `_context`, checked on 1.45.2; of others the properties.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from operator import itemgetter
from threading import get_ident
from time import monotonic_ns
from typing import Any, NamedTuple
from weakref import ref

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from ..model.call_state import CANCELLED, ERROR, OK
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
_GRPC_CANCELLED = 1
_INTERNAL = SpanKind.INTERNAL


class LiveSpan(NamedTuple):
    """One unfinished span. `began_ns`: of the monotonic clock. `task`: the asyncio task that began it; None where a
    thread did that ran none, whose ident `thread` is then, else 0."""

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


class _Begun(ref[Any]):
    """A span, when it began, and the task or the ident of the thread that began it. Two are never the same, and no
    code of the span runs to find that out."""

    __slots__ = ("began_ns", "by")
    __hash__ = object.__hash__
    __eq__ = object.__eq__
    began_ns: int
    by: int | ref[asyncio.Task[Any]]


class LiveSpans(SpanProcessor):
    """`on_start` and `on_end` from any thread; everything else from the watcher's.

    At most 10 000 spans are kept, by weak reference; `refused` counts those beyond. A span goes with its object, which
    no function of ours need be called for; one that has ended and is kept alive is told by the time of its end. The
    ends of those that `watch` names, `take_ended` gives.
    """

    def __init__(self, most: int = LIVE_MOST) -> None:
        self._live: set[_Begun] = set()
        self._most = most
        self.refused = 0
        self._watched: set[int] = set()
        self._ended: deque[EndedSpan] = deque(maxlen=_ENDED_MOST)
        self._note_end = self._noting_ends()
        self._note(self._noting_starts(), nothing_done)

    def follow(self, provider: TracerProvider) -> None:
        """Begins with the spans that its tracers make from now on."""
        provider.add_span_processor(self)

    def _note(self, start: Callable[..., None], end: Callable[[Any], object]) -> None:
        """Attributes of the instance stand before the methods of the SDK's class, and no method is bound for a call."""
        vars(self).update(on_start=start, on_end=end, _on_ending=nothing_done)

    def _noting_starts(self) -> Callable[..., None]:
        """What runs for each span: a closure, and past the properties of the SDK, each of which is a call."""
        live, most, task_of = self._live, self._most, current_task_reader()
        add, forget = live.add, live.discard  # in C, and it does not mind one that is gone

        def on_start(span: Any, parent_context: Any = None) -> None:  # noqa: ARG001 - as the SDK names it
            """Never raises: that would break the program's `start_span`."""
            try:
                if span._kind is _INTERNAL:  # noqa: SLF001  a property is a call more
                    return
            except Exception:  # another SDK, or another version of it
                if _kind_of(span) is _INTERNAL:
                    return
            try:
                if len(live) >= most:
                    self.refused += 1
                    return
                one = _Begun(span, forget)
                one.began_ns = monotonic_ns()
                loop = running_loop()
                task = None if loop is None else task_of(loop)
                one.by = get_ident() if task is None else ref(task)
                add(one)
            except Exception:
                return

        return on_start

    def _noting_ends(self) -> Callable[[Any], None]:
        watched, ended = self._watched, self._ended

        def on_end(span: Any) -> None:
            """`span` is another object than the one that began: told apart by its id."""
            try:
                span_id = _id_of(span)
                if span_id in watched:
                    ended.append(_end_of(span, span_id))  # first: whoever misses it among the living finds its end
                    watched.discard(span_id)
            except Exception:
                return

        return on_end

    def spans(self) -> dict[int, LiveSpan]:
        """By span id, oldest first. What was dropped without an end is left out, and forgotten."""
        found: list[tuple[int, int, LiveSpan]] = []
        for one in self._live.copy():
            span = one()
            if span is None:
                continue
            span_id = _id_of(span)
            if _has_ended(span) and span_id not in self._watched:  # else its end has still to be told
                self._live.discard(one)
            elif span_id:
                found.append((one.began_ns, span_id, _as_told(one)))
        found.sort(key=itemgetter(0))
        return {span_id: live for _, span_id, live in found}

    def watch(self, span_id: int) -> LiveSpan | None:
        """From now on the end of this span is noted; None: there is none, and it is not."""
        self._watched.add(span_id)
        vars(self)["on_end"] = self._note_end
        for one in self._live.copy():
            span = one()
            if span is not None and _id_of(span) == span_id and not _has_ended(span):
                return _as_told(one)
        self.unwatch(span_id)
        return None

    def unwatch(self, span_id: int) -> None:
        self._watched.discard(span_id)
        if not self._watched:
            vars(self)["on_end"] = nothing_done

    def take_ended(self) -> list[EndedSpan]:
        """The ends of watched spans since the last call."""
        found: list[EndedSpan] = []
        while self._ended:
            found.append(self._ended.popleft())
        return found

    def clear(self) -> None:
        """After a fork: these are the parent's."""
        self._live.clear()
        self._watched.clear()
        self._ended.clear()

    def stop(self) -> None:
        """For good: no span is noted any more."""
        self._note(_note_nothing, nothing_done)
        self.clear()

    def shutdown(self) -> None:
        """The provider ends; what has not ended by now may still be looked at."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


nothing_done: Callable[[object], object] = id
"""Takes a span and does nothing, in C: what costs least where the SDK has to call something."""


def _as_told(one: _Begun) -> LiveSpan:
    by = one.by
    return LiveSpan(one, one.began_ns, by, None) if isinstance(by, int) else LiveSpan(one, one.began_ns, 0, by)


def _kind_of(span: Any) -> Any:
    """Of a span that does not have it where those of the SDK have; internal where it has none."""
    try:
        return span.kind
    except Exception:
        return _INTERNAL


def _id_of(span: Any) -> int:
    """0: it has none."""
    try:
        return span._context[1]  # noqa: SLF001  a property is a call more
    except Exception:
        return getattr(getattr(span, "context", None), "span_id", 0)


def _has_ended(span: Any) -> bool:
    return getattr(span, "end_time", None) is not None


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
