# SPDX-License-Identifier: Apache-2.0
"""The two ends of a call, in whatever order they arrive: requests and responses of one correlation are one call.

A request names its own trace context, a response that of the request it answers. What is said of one end because of
another process's (`rpc_link`, how far the two have found each other, whose the other end is) is kept here, beside the
processes' own nodes and edges, which are never changed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from peeps_otel import semconv
from peeps_otel.diagnosis.parties import Turned
from peeps_otel.model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind

_ENDED_MOST = 20_000
_PEERS_MOST = 10_000
_PATIENCE_NS = 2_000_000_000
_ENDS = frozenset({NodeKind.REQUEST, NodeKind.RESPONSE})


class Join(StrEnum):
    """How far the two ends of a call have found each other."""

    BOTH_ENDS = "both_ends"
    NOT_RECEIVED = "not_received"
    CALLER_UNKNOWN = "caller_unknown"
    PEER_NOT_ATTACHED = "peer_not_attached"
    FINISHED_ON_ONE_SIDE = "finished_on_one_side"


class Peer(NamedTuple):
    """Where a request went, as its span has it."""

    address: str
    port: int


@dataclass(slots=True)
class _End:
    """One living end of a call. `seen_ns`: by the collector's clock, when it was first seen."""

    node: Node
    process: str
    service: str
    seen_ns: int
    join: Join | None = None
    other: str = ""
    links: tuple[Edge, ...] = ()


@dataclass(slots=True)
class _Call:
    """The living ends of one correlation, by node id."""

    requests: dict[str, _End] = field(default_factory=dict[str, _End])
    responses: dict[str, _End] = field(default_factory=dict[str, _End])


class Joins:
    """Not thread-safe: guarded by the lock of the live graph.

    At most 20 000 calls of which one end is over, and 10 000 places where a process was reached, are remembered.
    """

    def __init__(self) -> None:
        self._calls: dict[str, _Call] = {}
        self._ends: dict[str, _End] = {}
        self._over: OrderedDict[str, None] = OrderedDict()
        self._reached: OrderedDict[Peer | str, None] = OrderedDict()
        self._attached: dict[Peer, bool] = {}

    # --- writing ------------------------------------------------------------------------------------------------------

    def put(self, node: Node, process: str, service: str, now_ns: int) -> list[Turned]:
        """A node as it is now. Of other kinds than requests and responses nothing is kept."""
        if node.kind not in _ENDS:
            return []
        before = self._ends.get(node.id)
        if before is not None and _correlation(before.node) != _correlation(node):
            self._take_out(before)
            before = None
        if before is not None:
            before.node = node
            return []
        end = self._ends[node.id] = _End(node, process, service, now_ns)
        correlation = _correlation(node)
        if not correlation:
            return self._settle([end], now_ns)
        call = self._calls.setdefault(correlation, _Call())
        (call.requests if node.kind is NodeKind.REQUEST else call.responses)[node.id] = end
        return self._settle([*call.requests.values(), *call.responses.values()], now_ns)

    def drop(self, node_id: str, now_ns: int) -> list[Turned]:
        """A node is gone."""
        end = self._ends.pop(node_id, None)
        if end is None:
            return []
        self._take_out(end)
        correlation = _correlation(end.node)
        turned = [Turned(end.process, node_id, end.links, ())] if end.links else []
        if not correlation:
            return turned
        self._over[correlation] = None
        if len(self._over) > _ENDED_MOST:
            self._over.popitem(last=False)
        call = self._calls.get(correlation)
        if call is None:
            return turned
        return turned + self._settle([*call.requests.values(), *call.responses.values()], now_ns)

    def _take_out(self, end: _End) -> None:
        correlation = _correlation(end.node)
        call = self._calls.get(correlation)
        if call is not None:
            call.requests.pop(end.node.id, None)
            call.responses.pop(end.node.id, None)
            if not call.requests and not call.responses:
                del self._calls[correlation]

    def age(self, now_ns: int, attached: dict[Peer, bool] | None = None) -> list[Turned]:
        """What becomes sure by waiting: that nothing comes of the other end. `attached`: of the addresses of
        `unanswered`, those where a process is known to listen, and whether it reports to us."""
        if attached is not None:
            self._attached = attached
        single = [end for end in self._ends.values() if end.join is not Join.BOTH_ENDS]
        return self._settle(single, now_ns)

    def unanswered(self) -> set[Peer]:
        """Where the requests went that nobody is seen to answer."""
        found = {_peer(end.node) for end in self._ends.values() if end.node.kind is NodeKind.REQUEST and not end.other}
        return {peer for peer in found if peer is not None}

    # --- reading ------------------------------------------------------------------------------------------------------

    def links(self, node_id: str) -> tuple[Edge, ...]:
        """The `rpc_link` edges of a request into other processes."""
        end = self._ends.get(node_id)
        return () if end is None else end.links

    def dressed(self, node: Node) -> Node:
        """The node with what is known of the other end of its call."""
        end = self._ends.get(node.id)
        if end is None or end.join is None:
            return node
        more: dict[str, AttributeValue] = {semconv.RPC_JOIN: end.join.value}
        if end.other:
            more[semconv.RPC_SERVICE] = end.other
        return replace(node, attributes=node.attributes | more)

    def ids(self) -> Set[str]:
        """All ends that live."""
        return self._ends.keys()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _settle(self, ends: list[_End], now_ns: int) -> list[Turned]:
        turned: list[Turned] = []
        for end in ends:
            before = (end.join, end.other, end.links)
            self._judge(end, now_ns)
            if before != (end.join, end.other, end.links):
                turned.append(Turned(end.process, end.node.id, before[2], end.links))
        return turned

    def _judge(self, end: _End, now_ns: int) -> None:
        correlation = _correlation(end.node)
        call = self._calls.get(correlation, _Call())
        asks = end.node.kind is NodeKind.REQUEST
        others = list((call.responses if asks else call.requests).values())
        if others:
            end.join, end.other = Join.BOTH_ENDS, others[0].service
            if asks:
                end.links = tuple(_link(end, other) for other in others if other.process != end.process)
                self._note_reached(_place(end.node))
            return
        end.other, end.links = "", ()
        if correlation and correlation in self._over:
            end.join = Join.FINISHED_ON_ONE_SIDE
        elif not correlation:
            end.join = Join.CALLER_UNKNOWN
        elif now_ns - end.seen_ns < _PATIENCE_NS:
            end.join = None
        else:
            end.join = self._unanswered(end) if asks else Join.CALLER_UNKNOWN

    def _unanswered(self, end: _End) -> Join:
        """Nobody is seen to have received it: where nobody would tell us, that says nothing."""
        place = _place(end.node)
        reached = place in self._reached
        attached = self._attached.get(place, reached) if isinstance(place, Peer) else reached
        return Join.NOT_RECEIVED if attached else Join.PEER_NOT_ATTACHED

    def _note_reached(self, place: Peer | str) -> None:
        self._reached[place] = None
        self._reached.move_to_end(place)
        if len(self._reached) > _PEERS_MOST:
            self._reached.popitem(last=False)


def _correlation(node: Node) -> str:
    value = node.attributes.get(semconv.CORRELATION)
    return value if isinstance(value, str) else ""


def _peer(node: Node) -> Peer | None:
    address, port = node.attributes.get(semconv.SERVER_ADDRESS), node.attributes.get(semconv.SERVER_PORT)
    return Peer(address, port) if isinstance(address, str) and type(port) is int else None


def _place(node: Node) -> Peer | str:
    """Where a request goes: an address, or the service that its method is of where the span has no address, as with
    the stock clients of gRPC."""
    method = node.attributes.get(semconv.METHOD)
    name = method if isinstance(method, str) else node.name
    return _peer(node) or name.rpartition("/")[0] or name


def _link(request: _End, response: _End) -> Edge:
    return Edge(
        EdgeKind.RPC_LINK,
        request.node.id,
        response.node.id,
        response.node.created_at,
        confidence=Confidence.EXACT,
    )
