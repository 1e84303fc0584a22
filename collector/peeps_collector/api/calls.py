# SPDX-License-Identifier: Apache-2.0
"""Calls in flight, in words: where each went, since when, who handles it, and what that one is in. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from peeps_otel import semconv
from peeps_otel.diagnosis.around import around
from peeps_otel.diagnosis.wording import doing, label
from peeps_otel.model import EdgeKind, Node, NodeKind, own_line
from peeps_otel.report.sentences import duration
from peeps_otel.report.shown import Shown

from ..graph.joins import Join
from ..graph.process import Process
from ..graph.view import View

_NOBODY = {
    Join.NOT_RECEIVED: "nobody has received it",
    Join.PEER_NOT_ATTACHED: "its receiver does not report here",
    Join.FINISHED_ON_ONE_SIDE: "its handler is done, and the answer has not come",
}


class Call(NamedTuple):
    """The two ends of a call, as far as they are seen. `waiter`: who waits for the answer; `handler`: who is to give
    it."""

    request: Node | None
    response: Node | None
    waiter: Node | None
    handler: Node | None

    @property
    def since_ns(self) -> int:
        return min(one.created_at for one in (self.request, self.response) if one is not None)


def calls(view: View) -> list[Call]:
    """All calls in flight, the oldest first. A response without its request is a call of its own."""
    answered: set[str] = set()
    found: list[Call] = []
    waiters = {edge.dst: edge.src for edge in _edges(view) if edge.kind is EdgeKind.NEEDS and _is_request(edge.dst)}
    ends = [node for node in view.nodes.values() if node.kind in (NodeKind.REQUEST, NodeKind.RESPONSE)]
    for request in (node for node in ends if node.kind is NodeKind.REQUEST):
        responses = [view.nodes[one] for one in _led_to(view, request.id, EdgeKind.RPC_LINK) if one in view.nodes]
        answered.update(one.id for one in responses)
        response = responses[0] if responses else None
        waiter = view.nodes.get(waiters.get(request.id, ""))
        found.append(Call(request, response, waiter, _handler(view, response)))
    alone = [node for node in ends if node.kind is NodeKind.RESPONSE and node.id not in answered]
    over = {node.id for node in alone if semconv.RPC_OVER in node.attributes}
    reading = _reading(view) if over else {}
    for response in alone:
        handler = _handler(view, response)
        reader = None if handler is None or response.id not in over else reading.get(handler.id)
        found.append(Call(None, response, reader, handler))
    return sorted(found, key=lambda call: call.since_ns)


def told(call: Call, shown: Shown, processes: Mapping[str, Process]) -> dict[str, Any]:
    """One call as the API tells it."""
    end = call.request or call.response
    assert end is not None
    join = end.attributes.get(semconv.RPC_JOIN)
    trace = shown.trace(end)
    return {
        "text": _text(call, shown, processes),
        "method": end.attributes.get(semconv.METHOD),
        "correlation": end.attributes.get(semconv.CORRELATION),
        "join": join,
        "since_ns": call.since_ns,
        "age": duration(shown.now_ns - call.since_ns),
        "age_ns": shown.now_ns - call.since_ns,
        "request": None if call.request is None else call.request.id,
        "response": None if call.response is None else call.response.id,
        "waiter": None if call.waiter is None else call.waiter.id,
        "handler": None if call.handler is None else call.handler.id,
        "processes": list(dict.fromkeys(shown.view.owner[one.id] for one in call if one is not None)),
    } | ({} if trace is None else {"trace": trace})


def _text(call: Call, shown: Shown, processes: Mapping[str, Process]) -> str:
    age = duration(shown.now_ns - call.since_ns)
    if call.request is not None:
        text = f"request {call.request.name}{_to(call.request)}, sent {age} ago"
        if call.waiter is not None:
            text += f" by {label(call.waiter)}{_in(call.waiter, shown, processes)}"
        elif call.request.state == "detached":
            text += " by a task that has ended"
    else:
        assert call.response is not None
        text = f"response {call.response.name}{_in(call.response, shown, processes)}, received {age} ago"
        done = call.response.attributes.get(semconv.RPC_JOIN) == Join.FINISHED_ON_ONE_SIDE
        if call.waiter is not None:
            text += f", awaited by {label(call.waiter)}{_in(call.waiter, shown, processes)}"
        else:
            text += ", whose caller has given up or reads the answer" if done else " from an unknown caller"
    if call.handler is not None:
        where = "" if call.request is None else _in(call.handler, shown, processes)
        return f"{text}, handled by {label(call.handler)}{where}, which {_doing(call.handler, shown)}"
    if call.response is not None:
        return f"{text}, handled by nobody who is seen"
    said = "" if call.request is None else _nobody(call.request)
    return f"{text}; {said}" if said else text


def _nobody(request: Node) -> str:
    """Why no other end is seen, as far as that is known."""
    join = request.attributes.get(semconv.RPC_JOIN)
    if semconv.SERVER_ADDRESS not in request.attributes and join in (Join.NOT_RECEIVED, Join.PEER_NOT_ATTACHED):
        return "nobody who reports here has received it"  # nor is it known where it went
    return next((words for one, words in _NOBODY.items() if one == join), "")


def _to(request: Node) -> str:
    service = request.attributes.get(semconv.RPC_SERVICE)
    if isinstance(service, str) and service:
        return f" to service {service}"
    address, port = request.attributes.get(semconv.SERVER_ADDRESS), request.attributes.get(semconv.SERVER_PORT)
    return f" to {address}:{port}" if address and port else f" to {address}" if address else ""


def _in(node: Node, shown: Shown, processes: Mapping[str, Process]) -> str:
    process = processes.get(shown.view.owner.get(node.id, ""))
    return "" if process is None else f" in {process.info.service}"


def _doing(node: Node, shown: Shown) -> str:
    text = doing(around(node.id, shown.view.nodes, lambda one: shown.view.out.get(one, ())), node.id)
    places = shown.places(shown.view.owner.get(node.id))
    known = [own_line.source(frame) for frame in node.stack]
    return places.in_text(text, known if node.wait is None else [*known, node.wait.source])


def _handler(view: View, response: Node | None) -> Node | None:
    if response is None:
        return None
    return next((view.nodes[one] for one in _led_to(view, response.id, EdgeKind.HANDLED_BY) if one in view.nodes), None)


def _reading(view: View) -> dict[str, Node]:
    """By who is to write there: who waits at a connection for what that other process answers. A call without a span of
    its client, or of which that has ended."""
    at = {edge.dst: edge.src for edge in _edges(view) if edge.kind is EdgeKind.NEEDS and edge.dst.startswith("io:")}
    return {
        edge.dst: view.nodes[waiter]
        for end, waiter in at.items()
        for edge in view.out.get(end, ())
        if edge.kind is EdgeKind.COULD_END and waiter in view.nodes
    }


def _led_to(view: View, node: str, kind: EdgeKind) -> list[str]:
    return [edge.dst for edge in view.out.get(node, ()) if edge.kind is kind]


def _edges(view: View) -> Iterator[Any]:
    for outgoing in view.out.values():
        yield from outgoing


def _is_request(node: str) -> bool:
    return node.startswith("request:")
