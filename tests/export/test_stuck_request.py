# SPDX-License-Identifier: Apache-2.0
"""The log record of a finding stands in the trace of the request that is stuck."""

from __future__ import annotations

import pytest
from opentelemetry import trace

from peeps_otel import semconv
from peeps_otel.export.stuck_request import context_of_stuck_request
from peeps_otel.model import Edge, EdgeKind, Finding, FindingKind, Level, Node, NodeKind
from peeps_otel.probes.probe import Observation

TRACE, OLD, NEW, CLIENT = 0xABC, 0x11, 0x22, 0x33


def node(kind: NodeKind, name: str, created_at: int = 1, span: int = 0) -> Node:
    attributes = {semconv.RPC_SPAN: f"{TRACE:032x}-{span:016x}", semconv.RPC_SAMPLED: True} if span else {}
    return Node(f"{kind}:{name}", kind, name, created_at, "app.py:1", attributes=dict(attributes))


def seen(*handled: tuple[int, str, int]) -> Observation:
    """`handled`: the span of a response, its handler, and when it came."""
    nodes = [node(NodeKind.RESPONSE, f"{span}", created, span) for span, _, created in handled]
    nodes.append(node(NodeKind.REQUEST, "out", 1, CLIENT))
    edges = {
        one.id: (Edge(EdgeKind.HANDLED_BY, one.id, f"task:{handler}"),)
        for one, (_, handler, _) in zip(nodes, handled, strict=False)
    }
    return Observation(nodes={one.id: one for one in nodes}, edges=edges)


def finding(*core: str, blocked: tuple[str, ...] = ()) -> Finding:
    return Finding("deadlock:1", FindingKind.DEADLOCK, Level.PROVEN, "", 0, list(core), blocked=list(blocked))


@pytest.mark.parametrize(
    ("found", "span"),
    [
        (finding("task:a"), OLD),
        (finding("task:b"), NEW),
        (finding("task:a", "task:b"), OLD),
        (finding("lock:x", blocked=("task:b",)), NEW),
        (finding("task:c", "request:out"), CLIENT),
        (finding("task:c"), 0),
    ],
    ids=["its handler", "another's", "the oldest", "one behind it", "the call it waits for", "none"],
)
def test_it_is_the_request_whose_handler_is_stuck(found: Finding, span: int) -> None:
    observation = seen((NEW, "b", 2), (OLD, "a", 1))
    told = trace.get_current_span(context_of_stuck_request(found, observation)).get_span_context()
    assert (told.span_id, told.trace_id) == (span, TRACE if span else 0)
