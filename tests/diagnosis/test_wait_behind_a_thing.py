# SPDX-License-Identifier: Apache-2.0
"""A thing that nobody waits for himself, but that has what somebody waits for: a database's session has a row."""

from __future__ import annotations

from typing import Any

from peeps_otel import semconv
from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Edge, EdgeKind, FindingKind, Graph, Level, Node, NodeKind, Providers, Wait

S = 1_000_000_000
START = 1_795 * 10**18


def _thread(name: str) -> Node:
    wait = Wait("database.lock" if name == "importer" else "socket.recv", START, f"{name}.py:7")
    return Node(f"thread:{name}", NodeKind.THREAD, name, START, f"{name}.py:1", state="waiting", wait=wait, steps=1)


def _end(name: str, **attributes: Any) -> Node:
    about = {semconv.COULD_END_ASKED: START, **attributes}
    return Node(f"io:{name}", NodeKind.IO, name, START, "unknown:0", state="waiting", attributes=about)


def _graph(holder_can: bool) -> Graph:
    session = _end("session", **{semconv.DATABASE_SESSION: "7", semconv.RESOURCE_TYPE: "postgresql.Session"})
    row = Node("lock:row", NodeKind.LOCK, "a row", START, "unknown:0", providers=Providers.ESTIMATED)
    nodes = [_thread("booking"), _thread("importer"), _end("socket"), session, row]
    edges = [
        Edge(EdgeKind.NEEDS, "thread:importer", "lock:row", START),
        Edge(EdgeKind.HELD_BY, "lock:row", "io:session", START),
        Edge(EdgeKind.NEEDS, "thread:booking", "io:socket", START),
        Edge(EdgeKind.COULD_END, "io:socket", "thread:importer"),
    ]
    if holder_can:
        edges.append(Edge(EdgeKind.COULD_END, "io:session", "thread:booking"))
    else:
        nodes[3].attributes[semconv.COULD_END_OUTSIDE] = "timer commit"
    return Graph({node.id: node for node in nodes}, edges)


def _found(graph: Graph) -> list[tuple[str, str]]:
    diagnoser = Diagnoser()
    for second in (1, 60):
        findings = diagnoser.look(graph, START + second * S)
    return [(one.kind, one.level) for one in findings]


def test_a_ring_through_it_is_a_deadlock() -> None:
    assert _found(_graph(holder_can=True)) == [(FindingKind.DEADLOCK, Level.LIKELY)]


def test_one_that_a_timer_may_commit_is_none() -> None:
    assert (FindingKind.DEADLOCK, Level.LIKELY) not in _found(_graph(holder_can=False))
