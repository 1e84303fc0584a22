# SPDX-License-Identifier: Apache-2.0
"""What is said of a node because of what another process tells: the other ends of its calls and
connections, its children, who shares what it waits for, and who has the same lock.

Kept beside the processes' own nodes and edges, which are never changed; in any order of arrival, and gone with what it
rests on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from itertools import chain
from typing import Protocol

from peeps_otel import semconv
from peeps_otel.diagnosis.parties import Party, Turned
from peeps_otel.diagnosis.shared_things import Shared
from peeps_otel.diagnosis.two_ends import EndQuestion, Ends
from peeps_otel.model import Edge, Node, NodeKind

from ..decode.resource import ProcessInfo
from .answering import Answering
from .children import Children
from .joins import Joins, Peer
from .named import Named

_OF_PROCESSES = frozenset({NodeKind.IO, NodeKind.COMMAND, NodeKind.THREAD, NodeKind.REQUEST})
"""What ends and children are of: a process is described for these alone, and for what it shares, not for each of its
tasks."""
_ANSWERED_OVER = frozenset({NodeKind.IO, NodeKind.REQUEST, NodeKind.RESPONSE})
KINDS = frozenset({NodeKind.REQUEST, NodeKind.RESPONSE, *_OF_PROCESSES})
MARKS = frozenset({semconv.RESOURCE_SHARED_WITH, semconv.RESOURCE_KEY})
"""Of nodes that are none of KINDS, carry none of MARKS and are in none of the sets of `said`, `put` keeps nothing."""


class _Part(Protocol):
    def links(self, node_id: str) -> tuple[Edge, ...]: ...

    def dressed(self, node: Node) -> Node: ...

    def ids(self) -> Set[str]: ...


class Across:
    """Not thread-safe: guarded by the lock of the live graph."""

    def __init__(self) -> None:
        self._calls = Joins()
        self._ends = Ends()
        self._answering = Answering()
        self._children = Children()
        self._shared = Shared()
        self._named = Named()

    def put(self, node: Node, edges: Sequence[Edge], info: ProcessInfo, now_ns: int) -> list[Turned]:
        """A node as it is now, with its outgoing edges."""
        turned = self._calls.put(node, info.id, info.service, now_ns)
        if node.kind in _ANSWERED_OVER:
            turned += self._answering.put(node, edges, party(info))
        if node.kind not in _OF_PROCESSES and MARKS.isdisjoint(node.attributes):
            return turned + self._shared.drop(node.id) + self._named.drop(node.id)
        of = party(info)
        turned += self._ends.put(node, edges, of) + self._children.put(node, of)
        return turned + self._shared.put(node, of) + self._named.put(node, edges, of)

    def drop(self, node_id: str, now_ns: int) -> list[Turned]:
        """A node is gone."""
        of_processes = self._ends.drop(node_id) + self._children.drop(node_id) + self._shared.drop(node_id)
        of_processes += self._answering.drop(node_id)
        return self._calls.drop(node_id, now_ns) + of_processes + self._named.drop(node_id)

    def age(self, now_ns: int, attached: dict[Peer, bool] | None = None) -> list[Turned]:
        """See `Joins.age`."""
        return self._calls.age(now_ns, attached)

    def unanswered(self) -> set[Peer]:
        """Where the requests went that nobody is seen to answer."""
        return self._calls.unanswered()

    def wanted(self, processes: Sequence[ProcessInfo], now_ns: int) -> list[EndQuestion]:
        """Which of these processes to ask for which ends of connections."""
        return self._ends.wanted([party(info) for info in processes], now_ns)

    def links(self, node_id: str) -> tuple[Edge, ...]:
        """The edges of a node into other processes."""
        return tuple(chain.from_iterable(one.links(node_id) for one in self._parts_of(node_id)))

    def dressed(self, node: Node) -> Node:
        """The node with what is known of its other end."""
        for one in self._parts_of(node.id):
            node = one.dressed(node)
        return node

    def ids(self) -> Iterator[str]:
        """All nodes of which `links` or `dressed` may say something."""
        return chain(*self.said())

    def said(self) -> tuple[Set[str], ...]:
        """The same, in several sets."""
        return tuple(one.ids() for one in self._parts())

    def _parts(self) -> tuple[_Part, ...]:
        return self._calls, self._answering, self._ends, self._children, self._shared, self._named

    def _parts_of(self, node_id: str) -> tuple[_Part, ...]:
        """Who has a lock is more than who may have it; who answers a request, or over a connection, more than who has
        that connection."""
        for one in (self._named, self._calls, self._answering):
            if one.links(node_id):
                return (one,)
        return self._parts()


def party(info: ProcessInfo) -> Party:
    return Party(info.id, str(info), info.pid, info.host)
