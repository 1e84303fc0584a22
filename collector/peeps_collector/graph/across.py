# SPDX-License-Identifier: Apache-2.0
"""What is said of a node because of what another process tells: the other ends of its calls and
connections, and its children.

Kept beside the processes' own nodes and edges, which are never changed; in any order of arrival, and gone with what it
rests on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from peeps_otel.model import Edge, Node, NodeKind

from ..decode.resource import ProcessInfo
from .children import Children
from .ends import EndQuestion, Ends, Party
from .joins import Joins, Peer, Turned

_OF_PROCESSES = frozenset({NodeKind.IO, NodeKind.COMMAND, NodeKind.THREAD})
"""What ends and children are of: a process is described for these alone, not for each of its tasks."""


class Across:
    """Not thread-safe: guarded by the lock of the live graph."""

    def __init__(self) -> None:
        self._calls = Joins()
        self._ends = Ends()
        self._children = Children()

    def put(self, node: Node, edges: Sequence[Edge], info: ProcessInfo, now_ns: int) -> list[Turned]:
        """A node as it is now, with its outgoing edges."""
        turned = self._calls.put(node, info.id, info.service, now_ns)
        if node.kind not in _OF_PROCESSES:
            return turned
        of = party(info)
        return turned + self._ends.put(node, edges, of) + self._children.put(node, of)

    def drop(self, node_id: str, now_ns: int) -> list[Turned]:
        """A node is gone."""
        return self._calls.drop(node_id, now_ns) + self._ends.drop(node_id) + self._children.drop(node_id)

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
        return (*self._calls.links(node_id), *self._ends.links(node_id), *self._children.links(node_id))

    def dressed(self, node: Node) -> Node:
        """The node with what is known of its other end."""
        return self._children.dressed(self._ends.dressed(self._calls.dressed(node)))

    def ids(self) -> Iterator[str]:
        """All nodes of which `links` or `dressed` may say something."""
        return chain(self._calls.ids(), self._ends.ids(), self._children.ids())


def party(info: ProcessInfo) -> Party:
    return Party(info.id, str(info), info.pid, info.host)
