# SPDX-License-Identifier: Apache-2.0
"""A request carries what is known of the connection at which its waiter stands, unless its answer is seen."""

from __future__ import annotations

from dataclasses import replace

from peeps_otel import semconv
from peeps_otel.model import AttributeValue, Edge, EdgeKind, Node, NodeKind
from peeps_otel.probes.probe import Observation
from peeps_otel.requests.over_connection import OverConnection

REQUEST = Node("request:1", NodeKind.REQUEST, "GET", 1, "app.py:1", attributes={semconv.METHOD: "GET"})
ENDS: dict[str, AttributeValue] = {semconv.IO_HERE: "a>b", semconv.IO_THERE: "b>a", semconv.IO_UNREAD: 0}
SOCKET = Node("io:1", NodeKind.IO, "b", 1, "app.py:1", attributes={**ENDS, semconv.IO_FD: 7})


def observed(socket: Node, *edges: Edge) -> Observation:
    seen = Observation()
    seen.nodes = {REQUEST.id: REQUEST, socket.id: socket}
    for edge in edges:
        seen.edges[edge.src] = (*seen.edges.get(edge.src, ()), edge)
    return seen


def test_it_has_the_names_of_the_ends_and_who_could_write_there() -> None:
    seen = observed(SOCKET, Edge(EdgeKind.COULD_END, "io:1", "thread:1"), Edge(EdgeKind.TOUCHES, "io:1", "thread:2"))
    OverConnection().say(seen, REQUEST, "io:1")
    assert seen.nodes["request:1"] == replace(REQUEST, attributes={semconv.METHOD: "GET", **ENDS})
    assert seen.edges["request:1"] == (Edge(EdgeKind.COULD_END, "request:1", "thread:1"),)


def test_nothing_is_added_where_it_is_answered_or_the_ends_are_not_known() -> None:
    answered = observed(SOCKET, Edge(EdgeKind.RPC_LINK, "request:1", "response:1"))
    unknown = observed(replace(SOCKET, attributes={}))
    for seen in (answered, unknown):
        OverConnection().say(seen, REQUEST, "io:1")
        assert seen.nodes["request:1"] is REQUEST


def test_what_has_not_changed_is_the_same_object() -> None:
    over = OverConnection()
    looks: list[Observation] = []
    for unread in (0, 0, 5):
        attributes = {**ENDS, semconv.IO_UNREAD: unread}
        edge = Edge(EdgeKind.COULD_END, "io:1", "thread:1")
        looks.append(observed(replace(SOCKET, attributes=attributes), edge))
        over.say(looks[-1], REQUEST, "io:1")
        over.done()
    first, second, third = looks
    assert first.nodes["request:1"] is second.nodes["request:1"]
    assert first.edges["request:1"] is second.edges["request:1"]
    assert third.nodes["request:1"].attributes[semconv.IO_UNREAD] == 5
