# SPDX-License-Identifier: Apache-2.0
"""Connections, requests and channels that were reported, as nodes and edges of the wait graph."""

from __future__ import annotations

from collections.abc import Mapping

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, Providers, own_line
from .picture import Around, Canvas, OfSpan, as_json
from .rpc import Channel, Completion, Connection, Request, RpcReport, Span

PENDING = "pending"
REQUEST, SEND = "request", "channel.send"


def draw(report: RpcReport, canvas: Canvas, around: Around) -> None:
    """Adds all of it to the canvas."""
    connections = {one.id: _connection(one, canvas, around) for one in report.connections}
    answers: dict[str, list[str]] = {}
    sent: list[tuple[str, Request, str]] = []
    for request in report.requests:
        correlation = _correlation(request)
        node_id = _request(request, correlation, canvas, around, connections)
        if node_id is None:
            continue
        if request.direction == "out":
            sent.append((node_id, request, correlation))
        elif correlation:
            answers.setdefault(correlation, []).append(node_id)
    for node_id, request, correlation in sent:
        links = [Edge(EdgeKind.RPC_LINK, node_id, answer) for answer in answers.get(correlation, ()) if correlation]
        canvas.draw(node_id, [*links, *_on(node_id, request.connection, connections)])
    _channels(report, canvas, around, connections)


def _connection(one: Connection, canvas: Canvas, around: Around) -> str:
    attributes: dict[str, AttributeValue | None] = {
        semconv.CONNECTION_ID: one.id,
        semconv.CONNECTION_LOCAL: one.local,
        semconv.CONNECTION_PEER: one.peer,
        semconv.CONNECTION_TRANSPORT: one.transport,
        semconv.CORRELATION: one.correlation,
        semconv.CONNECTION_CLOSED_AT: one.closed_ns,
        semconv.CONNECTION_LIMITS: as_json(one.limits),
        semconv.CONNECTION_FRAMES_SENT: one.frames_sent,
        semconv.CONNECTION_FRAMES_RECEIVED: one.frames_received,
        semconv.CONNECTION_BYTES_SENT: one.bytes_sent,
        semconv.CONNECTION_BYTES_RECEIVED: one.bytes_received,
        semconv.CONNECTION_LAST_SENT: one.last_sent_ns,
        semconv.CONNECTION_LAST_RECEIVED: one.last_received_ns,
        semconv.CONNECTION_PENDING_OUT: one.pending_out,
        semconv.CONNECTION_PENDING_IN: one.pending_in,
        semconv.CONNECTION_QUEUED: one.queued,
        semconv.CONNECTION_COMPLETED: one.completed,
        semconv.CONNECTION_RECENT: "; ".join(map(_completion, one.recent)) or None,
        semconv.CONNECTION_HEALTH: as_json(one.health),
        semconv.PROVIDER_ATTRIBUTES: as_json(one.attributes),
    }
    name = " - ".join(end for end in (one.local, one.peer) if end) or one.id
    return canvas.put(
        NodeKind.CONNECTION,
        (one.id,),
        name,
        attributes,
        created_ns=one.opened_ns or around.now_ns,
        state=one.state,
    )


def _completion(one: Completion) -> str:
    return f"{one.method} {one.direction} {one.duration_ns / 1e6:.3g} ms"


def _request(
    one: Request, correlation: str, canvas: Canvas, around: Around, connections: Mapping[str, str]
) -> str | None:
    """The node of a request; None where it has one already, or is too young to be shown."""
    attributes: dict[str, AttributeValue | None] = {
        semconv.RPC_ID: one.id,
        semconv.RPC_CONNECTION: one.connection,
        semconv.RPC_STAGE: one.state,
        semconv.RPC_HANDLED_AT: one.handled_ns,
        semconv.RPC_DEADLINE: one.deadline_ns,
        semconv.RPC_ARGUMENTS: None if one.arguments is None else str(one.arguments),
        semconv.PROVIDER_ATTRIBUTES: as_json(one.attributes),
    }
    if one.span is not None and around.is_live_span(one.span[1]):
        told = {name: value for name, value in attributes.items() if value is not None}
        canvas.picture.of_spans[one.span[1]] = OfSpan(told, one.deadline_ns)
        return None
    if one.started_ns is not None and around.now_ns - one.started_ns < around.young_ns:
        return None
    attributes |= {
        semconv.METHOD: one.method,
        semconv.CORRELATION: correlation or None,
        semconv.RPC_SPAN: None if one.span is None else _context(one.span),
    }
    worker = None if one.task is None else around.node_of(one.task)
    kind = NodeKind.REQUEST if one.direction == "out" else NodeKind.RESPONSE
    node_id = canvas.put(
        kind,
        (one.connection, one.id),
        one.method,
        attributes,
        created_ns=one.started_ns or around.now_ns,
        state=PENDING,
        source=one.source or _made_at(worker),
        providers=Providers.ESTIMATED,
    )
    if worker is not None and kind is NodeKind.REQUEST:
        canvas.wait([worker.id], node_id, REQUEST, one.deadline_ns)
    if kind is NodeKind.RESPONSE:
        handled = [] if worker is None else [_reported(EdgeKind.HANDLED_BY, node_id, worker.id, one.handled_ns)]
        canvas.draw(node_id, [*handled, *_on(node_id, one.connection, connections)])
    return node_id


def _channels(report: RpcReport, canvas: Canvas, around: Around, connections: Mapping[str, str]) -> None:
    receivers: dict[str, str] = {}
    senders: list[tuple[str, Channel]] = []
    for one in report.channels:
        out = one.direction == "out"
        node_id = _channel(one, canvas, around)
        if out:
            canvas.wait(around.ids(one.waiting), node_id, SEND)
            senders.append((node_id, one))
        else:  # whoever waits for an item waits for the other end of a wire: nothing is concluded from that
            canvas.draw(node_id, [*_closed(node_id, one, around), *_on(node_id, one.connection, connections)])
            canvas.use(around.ids(one.users), node_id)
            if one.correlation:
                receivers[one.correlation] = node_id
    takers = {one.correlation: around.ids([*one.waiting, *one.users]) for one in report.channels if _takes(one)}
    for node_id, one in senders:
        other = receivers.get(one.correlation or "")
        links = [] if other is None else [Edge(EdgeKind.CHANNEL_LINK, node_id, other)]
        canvas.draw(node_id, [*links, *_closed(node_id, one, around), *_on(node_id, one.connection, connections)])
        canvas.use(takers.get(one.correlation, ()) if other is not None else (), node_id)


def _closed(node_id: str, one: Channel, around: Around) -> list[Edge]:
    return (
        []
        if one.closed_by is None
        else [_reported(EdgeKind.CLOSED_BY, node_id, who) for who in around.ids([one.closed_by])]
    )


def _takes(one: Channel) -> bool:
    return one.direction == "in" and bool(one.correlation)


def _channel(one: Channel, canvas: Canvas, around: Around) -> str:
    waiting = around.ids(one.waiting)
    attributes: dict[str, AttributeValue | None] = {
        semconv.CHANNEL_ID: one.id,
        semconv.CHANNEL_TYPE: "channel",
        semconv.CHANNEL_REQUEST: one.request,
        semconv.RPC_CONNECTION: one.connection,
        semconv.CHANNEL_CREDIT: one.credit,
        semconv.CHANNEL_CREDIT_MOST: one.capacity,
        semconv.CHANNEL_LENGTH: one.queued,
        semconv.CHANNEL_ITEMS: one.items,
        semconv.CHANNEL_BYTES: one.bytes,
        semconv.CHANNEL_WAITERS: len(waiting),
        semconv.CORRELATION: one.correlation,
        semconv.PROVIDER_ATTRIBUTES: as_json(one.attributes),
    }
    return canvas.put(
        NodeKind.TX if one.direction == "out" else NodeKind.RX,
        (one.connection, one.id),
        one.name or f"channel {one.id}",
        attributes,
        created_ns=one.opened_ns or around.now_ns,
        state=one.state,
        source=one.source,
    )


def _on(node_id: str, connection: str | None, connections: Mapping[str, str]) -> list[Edge]:
    known = connections.get(connection or "")
    return [] if known is None else [_reported(EdgeKind.TOUCHES, node_id, known)]


def _reported(kind: EdgeKind, src: str, dst: str, since_ns: int | None = None) -> Edge:
    return Edge(kind, src, dst, since_ns, confidence=Confidence.INFERRED)


def _correlation(one: Request) -> str:
    """The same at both ends: the context of the request's span, or what the owner knows them by."""
    if one.correlation:
        return one.correlation
    context = one.span if one.direction == "out" else one.caller
    return "" if context is None else _context(context)


def _context(span: Span) -> str:
    return f"{span[0]:032x}-{span[1]:016x}"


def _made_at(worker: Node | None) -> str | None:
    """The line where whoever sent or handles it stands, when it is first seen."""
    if worker is None:
        return None
    place = own_line.place(worker.stack)
    if own_line.is_line(place) and place.rpartition(":")[2].isdecimal():
        return place
    return None if worker.source == own_line.UNKNOWN else worker.source
