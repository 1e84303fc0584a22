# SPDX-License-Identifier: Apache-2.0
"""The request that a finding keeps from going on: whose trace it belongs into. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from .. import semconv
from ..model import Edge, EdgeKind, Node, NodeKind

_SPAN = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})")


class Span(NamedTuple):
    """Of a request or response, as OpenTelemetry writes them."""

    trace_id: str
    span_id: str


def span_of(node: Node) -> Span | None:
    """None where it has none."""
    found = _SPAN.fullmatch(str(node.attributes.get(semconv.RPC_SPAN, "")))
    return None if found is None else Span(*found.groups())


def stuck_request(
    core: Collection[str],
    behind: Collection[str],
    ends: Iterable[Node],
    edges: Mapping[str, Sequence[Edge]],
) -> Node | None:
    """The oldest request that a member handles, else one handled behind it, else the oldest that one of them waits for;
    with a span, all of them. `ends`: the requests and responses there are."""
    everybody = {*core, *behind}
    known = sorted((node for node in ends if span_of(node) is not None), key=lambda one: one.created_at)
    responses = [node for node in known if node.kind is NodeKind.RESPONSE]
    for members in (core, everybody):
        for node in responses:
            if any(e.kind is EdgeKind.HANDLED_BY and e.dst in members for e in edges.get(node.id, ())):
                return node
    return next((node for node in known if node.kind is NodeKind.REQUEST and node.id in everybody), None)
