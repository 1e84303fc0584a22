# SPDX-License-Identifier: Apache-2.0
"""A request that nobody is seen to answer, by the connection at which its waiter stands.

Who could bring the answer is who has the other end of that connection, or is yet to accept it: what is known of it is
said of the request, for that is what is waited for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from .. import semconv
from ..model import AttributeValue, Edge, EdgeKind, Node
from ..probes.probe import Observation

_SAID = (
    semconv.IO_HERE,
    semconv.IO_THERE,
    semconv.IO_UNREAD,
    semconv.IO_UNMOVED_SINCE,
    semconv.IO_IS_UNACCEPTED,
    semconv.COULD_END_ASKED,
    semconv.COULD_END_BY,
    semconv.COULD_END_OPEN,
    semconv.COULD_END_OUTSIDE,
)
_ENDERS = frozenset({EdgeKind.COULD_END, EdgeKind.REACHED_BY})


class _Said(NamedTuple):
    """Of one request: what it was made of, and what was made of it."""

    request: Node
    about: dict[str, AttributeValue]
    own: tuple[Edge, ...]
    enders: tuple[Edge, ...]
    node: Node
    edges: tuple[Edge, ...]


class OverConnection:
    """For the watcher thread only. What has not changed since the last look is the same object as then."""

    def __init__(self) -> None:
        self._before: dict[str, _Said] = {}
        self._now: dict[str, _Said] = {}

    def say(self, observation: Observation, request: Node, connection: str) -> None:
        """Says of a request what is known of the connection, where its answer is not seen."""
        own = observation.edges.get(request.id, ())
        known = observation.nodes[connection].attributes
        about = {name: known[name] for name in _SAID if name in known}
        if semconv.IO_HERE not in about or any(edge.kind is EdgeKind.RPC_LINK for edge in own):
            return
        enders = tuple(edge for edge in observation.edges.get(connection, ()) if edge.kind in _ENDERS)
        said = self._before.get(request.id)
        if said is None or said.request is not request or said[1:4] != (about, own, enders):
            node = replace(request, attributes=request.attributes | about)
            edges = own + tuple(replace(edge, src=request.id) for edge in enders)
            said = _Said(request, about, own, enders, node, edges)
        self._now[request.id] = said
        observation.nodes[request.id], observation.edges[request.id] = said.node, said.edges

    def done(self) -> None:
        """After all requests of a look."""
        self._before, self._now = self._now, {}
