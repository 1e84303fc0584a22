# SPDX-License-Identifier: Apache-2.0
"""The log record of a finding stands in the trace of the request that it keeps from going on."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, TraceFlags

from .. import semconv
from ..diagnosis.stuck_request import span_of, stuck_request
from ..model import Finding, NodeKind
from ..probes.probe import Observation
from .otel_names import context_of, empty_context

_SEARCHED_MOST = 1000  # members and those behind them
_ENDS = (NodeKind.REQUEST, NodeKind.RESPONSE)


def context_of_stuck_request(finding: Finding, observation: Observation) -> Context:
    """Empty where there is none."""
    linked = [end for link in finding.evidence for end in (link.waiter, link.resource, link.holder) if end]
    core = {*finding.core[:_SEARCHED_MOST], *linked}
    ends = [node for node in observation.nodes.values() if node.kind in _ENDS]
    node = stuck_request(core, finding.blocked[:_SEARCHED_MOST], ends, observation.edges)
    span = None if node is None else span_of(node)
    if node is None or span is None:
        return empty_context()
    sampled = bool(node.attributes.get(semconv.RPC_SAMPLED))
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return context_of(SpanContext(int(span.trace_id, 16), int(span.span_id, 16), False, flags))
