# SPDX-License-Identifier: Apache-2.0
"""The request that a finding keeps from going on, so that its log record stands in that request's trace."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, TraceFlags

from .. import semconv
from ..model import EdgeKind, Finding, Node, NodeKind
from ..probes.probe import Observation
from .otel_names import context_of, empty_context

_SEARCHED_MOST = 1000  # members and those behind them


def context_of_stuck_request(finding: Finding, observation: Observation) -> Context:
    """Of the oldest request that a member handles, else of one handled behind it, else of the oldest that one of them
    waits for; empty where there is none."""
    linked = [end for link in finding.evidence for end in (link.waiter, link.resource, link.holder) if end]
    core = {*finding.core[:_SEARCHED_MOST], *linked}
    everybody = core | set(finding.blocked[:_SEARCHED_MOST])
    responses = [node for node in observation.nodes.values() if node.kind is NodeKind.RESPONSE]
    requests = [node for node in observation.nodes.values() if node.kind is NodeKind.REQUEST and node.id in everybody]
    for members in (core, everybody):
        handled = [node for node in responses if _is_handled_by(node, members, observation)]
        if handled:
            return _context(handled)
    return _context(requests)


def _is_handled_by(response: Node, members: set[str], observation: Observation) -> bool:
    edges = observation.edges.get(response.id, ())
    return any(edge.kind is EdgeKind.HANDLED_BY and edge.dst in members for edge in edges)


def _context(nodes: list[Node]) -> Context:
    """That of the oldest one's span."""
    for node in sorted(nodes, key=lambda one: one.created_at):
        trace_id, _, span_id = str(node.attributes.get(semconv.RPC_SPAN, "")).partition("-")
        if len(trace_id) == 32 and len(span_id) == 16:
            sampled = bool(node.attributes.get(semconv.RPC_SAMPLED))
            flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
            return context_of(SpanContext(int(trace_id, 16), int(span_id, 16), False, flags))
    return empty_context()
