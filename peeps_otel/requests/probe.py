# SPDX-License-Identifier: Apache-2.0
"""The request probe: unfinished spans as nodes, who waits for them and who handles them.

A client or producer span is a `request`, a server or consumer span a `response`. Both carry the trace context of the
request as their correlation, by which the two ends of a call find each other: here where one process has both, in the
collector otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.trace import SpanKind

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, Providers, own_line
from ..model.call_state import DETACHED, PENDING
from ..probes import runtime
from ..probes.context import ProbeContext
from ..probes.probe import Observation, Yield
from . import span_facts
from .carriers import Carriers
from .handlers import Handlers
from .live_spans import LiveSpan, LiveSpans
from .over_connection import OverConnection
from .sampler import Allowance
from .served import ServedCalls
from .standing_calls import StandingCalls
from .waiters import Waiters

YOUNG_NS = 100_000_000
SHOWN_MOST = 2000
_YIELD_EVERY = 50
_RESPONSES = frozenset({SpanKind.SERVER, SpanKind.CONSUMER})


@dataclass(slots=True)
class _Record:
    """What is known of one span between looks: nothing of the span itself."""

    node: Node
    parent: int
    edges: tuple[Edge, ...] = ()
    over: str = ""
    served: str = ""


class RequestProbe:
    """A `Probe`. It speaks last, for it needs what the others have seen of tasks, threads and sockets.

    `young_ns`: younger spans are not shown. `unsampled`: how many spans that are sampled out are seen.
    """

    name = "requests"

    def __init__(
        self, context: ProbeContext, spans: LiveSpans, young_ns: int = YOUNG_NS, unsampled: Allowance | None = None
    ) -> None:
        self._unsampled = unsampled
        self._context = context
        self._spans = spans
        self._young_ns = young_ns
        self._records: dict[int, _Record] = {}
        self._waiters = Waiters()
        self._over_connection = OverConnection()
        self._standing = StandingCalls()
        self._carriers = Carriers()
        self._served = ServedCalls(context)
        self._waited_by: dict[str, str] = {}

    def install(self) -> None:
        """The processor stays with its provider."""

    def uninstall(self) -> None:
        """Nothing to undo."""

    def observe(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """Nothing yet: see `confirm`."""

    def confirm(self, observation: Observation, now_ns: int, pause: Yield) -> None:
        """All requests and responses of the process, and their edges."""
        monotonic_ns = time.monotonic_ns()
        epoch_ns = time.time_ns() - monotonic_ns
        living = self._spans.spans()
        shown = [item for item in living.items() if monotonic_ns - item[1].began_ns >= self._young_ns]
        if len(shown) > SHOWN_MOST:
            observation.shed.append(f"{len(shown) - SHOWN_MOST} of {len(shown)} requests in flight")
            shown = shown[:SHOWN_MOST]
        if self._spans.refused:
            observation.coverage.append(f"requests: {self._spans.refused} spans beyond the most that are kept")
        if self._unsampled is not None and self._unsampled.refused:
            self._unsampled.refused = False
            most = self._unsampled.per_second
            observation.coverage.append(f"requests: of those that are sampled out, {most} a second are seen")
        self._carriers.look(dict(self._left(shown, observation)), pause)
        before, self._records = self._records, {}
        for number, (span_id, live) in enumerate(shown):
            if number % _YIELD_EVERY == 0:
                pause()
            record = self._read(span_id, live, before.get(span_id), observation, epoch_ns)
            if record is not None:
                self._records[span_id] = record
        self._fold()
        handlers = Handlers(observation, pause)
        self._link(living, observation, handlers)
        self._serve(observation, handlers, now_ns, pause)
        for record in self._records.values():
            observation.nodes[record.node.id] = record.node
            observation.edges[record.node.id] = record.edges
        self._wait(living, observation, now_ns)

    def _left(self, shown: Iterable[tuple[int, LiveSpan]], observation: Observation) -> Iterable[tuple[int, LiveSpan]]:
        """The requests among them whose tasks have ended."""
        for span_id, live in shown:
            span = live.span() if live.task is not None else None
            if span is not None and span.kind not in _RESPONSES and self._beginner(live, observation) is None:
                yield span_id, live

    def nodes(self) -> Mapping[int, Node]:
        """The nodes of the last look by span id."""
        return {span_id: record.node for span_id, record in self._records.items()}

    def living(self) -> frozenset[int]:
        """The ids of the spans that have begun and not ended, shown or not."""
        return frozenset(self._spans.spans())

    def waiter_of(self, request: str) -> str | None:
        """The task or thread that waited for a request at the last look."""
        return self._waited_by.get(request)

    # --- one span -----------------------------------------------------------------------------------------------------

    def _read(
        self, span_id: int, live: LiveSpan, before: _Record | None, observation: Observation, epoch_ns: int
    ) -> _Record | None:
        span = live.span()
        if span is None:
            return None
        attributes: Mapping[str, Any] = span.attributes or {}
        parent = span.parent
        starter = self._starter(span_id, live, observation)
        answers = span.kind in _RESPONSES
        more: dict[str, AttributeValue] = {
            semconv.METHOD: span_facts.method_of(span.name, attributes),
            semconv.RPC_SPAN: span_facts.context_text(span.context),
            semconv.RPC_SAMPLED: bool(span.context.trace_flags.sampled),
        }
        scope = span.instrumentation_scope
        if scope is not None and type(scope.name) is str:
            more[semconv.RPC_SCOPE] = scope.name
        correlation = _correlation(span, answers)
        if correlation:
            more[semconv.CORRELATION] = correlation
        if answers:
            more |= span_facts.reached_at(attributes) | span_facts.caller_of(attributes)
            over = "" if before is None else before.over or before.served
            over = over or _over(attributes)
            if over:
                more[semconv.RPC_OVER] = over
        else:
            more |= span_facts.peer_of(attributes)
        state = PENDING if answers or starter is not None or live.task is None else DETACHED
        if before is None:
            kind = NodeKind.RESPONSE if answers else NodeKind.REQUEST
            created_ns = live.began_ns + epoch_ns
            node = Node(
                id=self._context.ids.new(kind, created_ns),
                kind=kind,
                name=str(more[semconv.METHOD]),
                created_at=created_ns,
                source=_made_at(starter),
                confidence=Confidence.INFERRED,
                state=state,
                providers=Providers.ESTIMATED,
                attributes=more,
            )
            own_parent = 0 if parent is None or parent.is_remote else parent.span_id
            return _Record(node, own_parent, over=str(more.get(semconv.RPC_OVER, "")))
        node = before.node
        unsure = node.source == own_line.UNKNOWN or (starter is not None and node.source == starter.source)
        source = _made_at(starter) if unsure and starter is not None else node.source
        if node.attributes != more or node.state != state or node.source != source:
            name = str(more[semconv.METHOD])
            before.node = replace(node, name=name, source=source, state=state, attributes=more)
        return before

    def _starter(self, span_id: int, live: LiveSpan, observation: Observation) -> Node | None:
        """The task or thread that began the span, as long as it is there; then the task that has it."""
        beginner = self._beginner(live, observation)
        if beginner is not None:
            return beginner
        task = self._carriers.task(span_id)
        node_id = None if task is None else self._context.task_id(task)
        return None if node_id is None else observation.nodes.get(node_id)

    def _beginner(self, live: LiveSpan, observation: Observation) -> Node | None:
        if live.task is not None:
            task = live.task()
            node_id = None if task is None else self._context.task_id(task)
        else:
            node_id = self._context.thread_nodes().get(live.thread)
        return None if node_id is None else observation.nodes.get(node_id)

    # --- between them -------------------------------------------------------------------------------------------------

    def _fold(self) -> None:
        """One call may have two client spans, of a library and of the one below it: the inner one is sent."""
        for record in list(self._records.values()):
            outer = self._records.get(record.parent) if record.node.kind is NodeKind.REQUEST else None
            if outer is not None and outer.node.kind is NodeKind.REQUEST:
                self._records.pop(record.parent)

    def _link(self, living: Mapping[int, LiveSpan], observation: Observation, handlers: Handlers) -> None:
        """Who answers a request, where both are here, and who handles a response."""
        answers: dict[AttributeValue, list[Node]] = {}
        for record in self._records.values():
            correlation = record.node.attributes.get(semconv.CORRELATION)
            if record.node.kind is NodeKind.RESPONSE and correlation is not None:
                answers.setdefault(correlation, []).append(record.node)
        for span_id, record in self._records.items():
            node = record.node
            if node.kind is NodeKind.REQUEST:
                found = answers.get(node.attributes.get(semconv.CORRELATION, ""), [])
                edges = tuple(Edge(EdgeKind.RPC_LINK, node.id, one.id, one.created_at) for one in found)
            else:
                found = handlers.of(self._starter(span_id, living[span_id], observation))
                edges = tuple(
                    Edge(EdgeKind.HANDLED_BY, node.id, one, node.created_at, confidence=Confidence.INFERRED)
                    for one in found
                )
            if edges != record.edges:
                record.edges = edges

    def _serve(self, observation: Observation, handlers: Handlers, now_ns: int, pause: Yield) -> None:
        """Responses without a span, and over which connections those with one are awaited."""
        of_spans = {
            edge.dst: record.node.id
            for record in self._records.values()
            for edge in record.edges
            if edge.kind is EdgeKind.HANDLED_BY
        }
        over_of = self._served.look(observation, of_spans, handlers, now_ns, pause)
        for record in self._records.values():
            served = over_of.get(record.node.id, "")
            if served != record.served and not record.over:
                record.served = served
                others = {name: value for name, value in record.node.attributes.items() if name != semconv.RPC_OVER}
                more = {semconv.RPC_OVER: served} if served else {}
                record.node = replace(record.node, attributes=others | more)

    def _wait(self, living: Mapping[int, LiveSpan], observation: Observation, now_ns: int) -> None:
        """Of several requests that one task has begun it waits for the last."""
        last: dict[str, int] = {}
        self._waited_by = {}
        for span_id, live in living.items():
            span = live.span()
            starter = None if span is None or span.kind in _RESPONSES else self._starter(span_id, live, observation)
            if starter is not None:
                last[starter.id] = span_id
        for starter_id, span_id in last.items():
            record = self._records.get(span_id)
            if record is None:
                continue
            to = observation, starter_id, record.node
            starter = observation.nodes[starter_id]
            call = self._standing.of(starter, span_id, record.node.created_at, now_ns)
            if call is not None:
                led = self._waiters.lead(*to, deadline_ns=call.deadline_ns, since_ns=call.since_ns)
            else:
                led = self._waiters.lead(*to) or self._waiters.lead_within(*to)
            if led:
                self._waited_by[record.node.id] = starter_id
            connection = self._waiters.over.get(record.node.id)
            if connection is not None:
                self._over_connection.say(observation, record.node, connection)
        self._over_connection.done()
        self._waiters.done()
        self._standing.done()


def _correlation(span: Any, answers: bool) -> str:
    """The context of the request's span: of a request its own, of a response the remote parent; a consumer may name it
    by a link."""
    if not answers:
        return span_facts.context_text(span.context)
    if span.parent is not None:
        return span_facts.context_text(span.parent)
    links = span.links
    return span_facts.context_text(links[0].context) if links else ""


def _over(attributes: Mapping[str, Any]) -> str:
    """The client's end of the connection on which a response is awaited; empty where it is not known, or elsewhere."""
    found = span_facts.over(attributes)
    return "" if found is None else runtime.end_of_client(*found) or ""


def _made_at(starter: Node | None) -> str:
    """The line where whoever began it stands: at the call, when it is first seen."""
    if starter is None:
        return own_line.UNKNOWN
    place = own_line.place(starter.stack)
    if own_line.is_line(place) and place.rpartition(":")[2].isdecimal():
        return place
    return starter.source or own_line.UNKNOWN
