# SPDX-License-Identifier: Apache-2.0
"""`peeps.request.in_flight` events: that a call lasts, why, and in the end how it ended, for any backend.

The first comes when a call has lasted for some seconds, further ones while its reason changes, and every half a minute.
A call of which one was sent gets exactly one more with its end state. The unfinished span itself is never exported: the
events carry its trace context, as log records do.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .. import semconv
from ..diagnosis.around import around
from ..diagnosis.wording import at, doing, label
from ..model import EdgeKind, Node, NodeKind
from ..model.call_state import LOST
from ..probes.probe import Observation
from ..requests.live_spans import EndedSpan, LiveSpan
from ..version import __version__
from ..watcher.interfaces import CycleResult
from .otel_names import Loggers, SeverityNumber, context_of
from .pending_spans import PendingSpans

_AGAIN_NS = 30_000_000_000
_SOON_NS = 5_000_000_000
_MOST = 200  # per look
_COPIED = (
    semconv.METHOD,
    semconv.CORRELATION,
    semconv.RPC_SPAN,
    semconv.RPC_SCOPE,
    semconv.RPC_SAMPLED,
    semconv.SERVER_ADDRESS,
    semconv.SERVER_PORT,
    semconv.CLIENT_ADDRESS,
)


class Calls(Protocol):
    """What the last look has seen of calls in flight. On the watcher's thread."""

    def nodes(self) -> Mapping[int, Node]:
        """By the id of their spans."""
        ...

    def waiter_of(self, request: str) -> str | None:
        """The task or thread that waits for a request."""
        ...


class Spans(Protocol):
    """The spans themselves: see `peeps_otel.requests.live_spans.LiveSpans`."""

    def spans(self) -> dict[int, LiveSpan]: ...

    def watch(self, span_id: int) -> LiveSpan | None: ...

    def unwatch(self, span_id: int) -> None: ...

    def take_ended(self) -> list[EndedSpan]: ...


@dataclass(slots=True)
class _Told:
    node: Node
    context: Any
    reason: str
    told_ns: int


class InFlight:
    """On the watcher thread only. `after_ns`: shorter calls are not told. `pending`: gets the span of each call that
    is, once."""

    def __init__(
        self, provider: Loggers, spans: Spans, calls: Calls, after_ns: int, pending: PendingSpans | None = None
    ) -> None:
        self._logger = provider.get_logger(semconv.SCOPE, __version__, schema_url=semconv.SCHEMA_URL)
        self._spans = spans
        self._calls = calls
        self._after_ns = after_ns
        self._pending = pending
        self._told: dict[int, _Told] = {}

    def take(self, look: CycleResult) -> None:
        """The events of one look."""
        now_ns = look.snapshot.time_ns
        self._ends(now_ns)
        room = _MOST
        for span_id, node in self._calls.nodes().items():
            if (
                room
                and now_ns - node.created_at >= self._after_ns
                and self._tell(span_id, node, look.observation, now_ns)
            ):
                room -= 1

    def end(self) -> None:
        """The process ends: what has not ended by now is lost."""
        now_ns = time.time_ns()
        self._ends(now_ns)
        for span_id in list(self._told):
            self._end(span_id, LOST, now_ns)

    def _tell(self, span_id: int, node: Node, observation: Observation, now_ns: int) -> bool:
        before = self._told.get(span_id)
        reason = _reason(node, self._calls.waiter_of(node.id), observation)
        if before is not None:
            before.node = node
            quiet_ns = now_ns - before.told_ns
            if quiet_ns < (_SOON_NS if reason != before.reason else _AGAIN_NS):
                return False
            context = before.context
        else:
            live = self._spans.watch(span_id)
            span = None if live is None else live.span()
            if span is None:
                self._spans.unwatch(span_id)
                return False
            context = context_of(span.context)
            if self._pending is not None:
                self._pending.tell(span)
        self._told[span_id] = _Told(node, context, reason, now_ns)
        text = f"{label(node)} has been in flight for {(now_ns - node.created_at) / 1e9:.3g} s"
        more = {semconv.RPC_REASON: reason} if reason else {}
        self._emit(self._told[span_id], node.state or "", now_ns, f"{text}: {reason}" if reason else text, more)
        return True

    def _ends(self, now_ns: int) -> None:
        self._take_ended(now_ns)
        if self._told:
            living = self._spans.spans()
            gone = [span_id for span_id in self._told if span_id not in living]
            if gone:  # those that ended while we looked have said so by now
                self._take_ended(now_ns)
            for span_id in gone:
                self._end(span_id, LOST, now_ns)

    def _take_ended(self, now_ns: int) -> None:
        for ended in self._spans.take_ended():
            more = {semconv.ERROR_TYPE: ended.error} if ended.error else {}
            self._end(ended.span_id, ended.state, now_ns, more)

    def _end(self, span_id: int, state: str, now_ns: int, more: dict[str, Any] | None = None) -> None:
        self._spans.unwatch(span_id)
        told = self._told.pop(span_id, None)
        if told is None:
            return
        lasted = (now_ns - told.node.created_at) / 1e9
        said = "was lost" if state == LOST else f"ended: {state}"
        self._emit(told, state, now_ns, f"{label(told.node)} {said}, after {lasted:.3g} s", more or {})

    def _emit(self, told: _Told, state: str, now_ns: int, body: str, more: dict[str, Any]) -> None:
        node = told.node
        attributes: dict[str, Any] = {
            semconv.NODE_ID: node.id,
            semconv.NODE_KIND: node.kind.value,
            semconv.CREATED_AT: node.created_at,
            semconv.SOURCE: node.source,
            semconv.STATE: state,
            semconv.RPC_ELAPSED: now_ns - node.created_at,
        }
        attributes |= {name: node.attributes[name] for name in _COPIED if name in node.attributes}
        self._logger.emit(
            event_name=semconv.EVENT_REQUEST_IN_FLIGHT,
            timestamp=now_ns,
            observed_timestamp=now_ns,
            context=told.context,
            severity_number=SeverityNumber.INFO,
            severity_text=SeverityNumber.INFO.name,
            body=body,
            attributes=attributes | more,
        )


def _reason(node: Node, waiter: str | None, observation: Observation) -> str:
    """Why a call lasts, as far as this process knows: who waits for the request, or in what its handler is."""
    if node.kind is NodeKind.REQUEST:
        waiting = None if waiter is None else observation.nodes.get(waiter)
        if waiting is None:
            return ""
        place = "" if waiting.wait is None else at("at", waiting.wait.source)
        return f"{label(waiting)} waits for it{place}"
    handled = (edge.dst for edge in observation.edges.get(node.id, ()) if edge.kind is EdgeKind.HANDLED_BY)
    handler = observation.nodes.get(next(handled, ""))
    return "" if handler is None else _doing(handler, observation)


def _doing(node: Node, observation: Observation) -> str:
    """And who has what it waits for, where that is one."""
    graph = around(node.id, observation.nodes, lambda one: observation.edges.get(one, ()))
    targets = graph.targets.get(node.id, ())
    held = graph.holders.get(targets[0], ()) if len(targets) == 1 else ()
    holder = observation.nodes.get(held[0]) if len(held) == 1 else None
    by = f", held by {label(holder)}" if holder is not None else ""
    return f"{label(node)} {doing(graph, node.id) or 'is not seen to do anything'}{by}"
