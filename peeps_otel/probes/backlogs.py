# SPDX-License-Identifier: Apache-2.0
"""Connections of other processes of this host in the backlogs of this one, for whoever waits at their other ends.

Nobody has such an end yet, so no search of the heap finds who could write to it: that is the thread which alone would
accept it, that of an event loop which watches the listening socket or of a server of `socketserver`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, own_line
from ..model.end_digest import end_digest
from .identity import NodeIds
from .internals import unaccepted
from .internals.end_names import EndNames
from .probe import Observation

AcceptsBy = Callable[[int], int | None]
"""The ident of the thread that accepts by a descriptor; None where none is known."""


class _Waiting(NamedTuple):
    """`thread`: the ident of the one who would accept it."""

    node_id: str
    names: EndNames
    thread: int
    found_ns: int


class Backlogs:
    """For the watcher thread only."""

    def __init__(self, ids: NodeIds) -> None:
        self._ids = ids
        self._waiting: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        """How many of those that were asked for are there."""
        return len(self._waiting)

    def find(self, digests: Iterable[str], accepts_by: AcceptsBy, now_ns: int) -> bool:
        """Looks for the connections with these names, and whether those that were found are still there; whether a new
        one is. Takes milliseconds where there are thousands of connections."""
        wanted = {*digests, *self._waiting}
        before, self._waiting = self._waiting, {}
        for names, listener in unaccepted.to_accept() if wanted else ():
            digest = end_digest(names.here)
            thread = accepts_by(listener) if digest in wanted else None
            if thread is not None:
                known = before.get(digest)
                node_id = self._ids.new(NodeKind.IO, now_ns) if known is None else known.node_id
                since_ns = now_ns if known is None else known.found_ns
                self._waiting[digest] = _Waiting(node_id, names, thread, since_ns)
        return not self._waiting.keys() <= before.keys()

    def show(self, observation: Observation, thread_id: Callable[[int], str | None]) -> None:
        """Adds them, each with the thread that could end the wait for it. `thread_id`: the node of a thread."""
        for one in self._waiting.values():
            thread = thread_id(one.thread)
            if thread is None:
                continue
            about: dict[str, AttributeValue] = {
                semconv.RESOURCE_TYPE: "socket.socket",
                semconv.IO_HERE: one.names.here,
                semconv.IO_THERE: one.names.there,
                semconv.IO_IS_FAR: True,
                semconv.IO_IS_UNACCEPTED: True,
                semconv.IO_IN_FLIGHT: 0,
                semconv.COULD_END_ASKED: one.found_ns,
            }
            observation.nodes[one.node_id] = Node(
                id=one.node_id,
                kind=NodeKind.IO,
                name="connection to accept",
                created_at=one.found_ns,
                source=own_line.UNKNOWN,
                confidence=Confidence.INFERRED,
                attributes=about,
            )
            ends = Edge(EdgeKind.COULD_END, one.node_id, thread, confidence=Confidence.INFERRED)
            observation.edges[one.node_id] = (ends,)
