# SPDX-License-Identifier: Apache-2.0
"""Connections that somebody waits to write to: how much stands there, since when that has not changed, and who is at
the other end.

A number of bytes that does not change says that the other end takes nothing. Where that end is on this host, what it
has received and not read must stand still as well: it may read slowly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .. import semconv
from ..model import AttributeValue, NodeKind
from ..model.operations import Operation
from .child_processes import Children
from .ends import Ends
from .identity import Identities
from .internals import asyncio_io, queued_bytes
from .internals.asyncio_io import joined
from .internals.loop import connections

_WATCHED_MOST = 500
_SHOWN_AFTER_NS = 3_000_000_000
_RECEIVED_EVERY_NS = 1_000_000_000


@dataclass(slots=True)
class Flow:
    """`unsent`, and `received` but not read at the other end (None: not known), in bytes: the same since `since_ns`."""

    node_id: str
    local: str
    peer: str
    unsent: int = -1
    received: int | None = None
    since_ns: int = 0
    asked_ns: int = 0


class Flows:
    """For the watcher thread only. `loops`: those of the program, set by the probe that knows."""

    def __init__(self, ends: Ends) -> None:
        self.ends = ends
        self._watched: Identities[Flow] = Identities()
        self.children = Children()
        self.loops: Callable[[], Iterable[asyncio.AbstractEventLoop]] = lambda: ()
        self.at_once = False
        """Whether the other end is asked at the first look already: for who takes few, long after each other."""
        ends.loops = lambda: self.loops()

    def waited_for(self, thing: Any, how: Operation, node_id: str) -> None:
        """Somebody waits for this: to write to a connection, for the end of a child process, or otherwise."""
        if how.kind is NodeKind.IO:
            self.ends.waited_for(thing, node_id)
        if how.writes:
            self._watch(thing, node_id)
        elif how.kind is NodeKind.COMMAND:
            self.children.waited_for(thing)

    def _watch(self, thing: Any, node_id: str) -> None:
        if self._watched.get(thing) is not None or len(self._watched) >= _WATCHED_MOST:
            return
        found = queued_bytes.endpoint(thing)
        peer = joined(found.peer, found.port) if found.peer is not None and found.port is not None else ""
        self._watched.put(thing, Flow(node_id, found.local or "", peer))

    def look(self, now_ns: int) -> None:
        """Reads what stands at each of them; forgets those where nothing does."""
        self.children.look(now_ns)
        for reference, flow in self._watched.records():
            thing = reference()
            unsent = (None if thing is None else queued_bytes.unsent(thing)) or 0
            moved = unsent != flow.unsent
            if moved:
                flow.unsent, flow.since_ns = unsent, now_ns
            if flow.peer and (self.at_once or not moved) and now_ns - flow.asked_ns >= _RECEIVED_EVERY_NS:
                flow.asked_ns = now_ns
                received = queued_bytes.received(flow.peer, flow.local)
                if received != flow.received:
                    flow.received, flow.since_ns = received, now_ns
        self._watched.sweep(lambda flow: not flow.unsent, lambda: None)

    def standing(self) -> dict[str, tuple[int, int | None]]:
        """By node: what was unsent and what was received but not read at the last look."""
        return {flow.node_id: (flow.unsent, flow.received) for _, flow in self._watched.records()}

    def of(self, thing: object, now_ns: int) -> dict[str, AttributeValue]:
        """What to say of a connection at which nothing moves, or for which somebody has waited for seconds."""
        flow = self._watched.get(thing)
        ends = self.ends.of(thing)
        if flow is None:
            return ends or self.children.of(thing, now_ns)
        if now_ns - flow.since_ns < _SHOWN_AFTER_NS:
            return ends
        return ends | {semconv.IO_UNSENT: flow.unsent, semconv.IO_UNMOVED_SINCE: flow.since_ns}

    def far_ends(self, now_ns: int, known: Callable[[], Iterable[Any]]) -> dict[int, str]:
        """By the address of a transport, a protocol or a socket of this process: the node of the connection at which
        nothing moves and whose other end it is. `known`: connections that somebody waited for, beside those of
        asyncio's loops."""
        still = [flow for _, flow in self._watched.records() if now_ns - flow.since_ns >= _SHOWN_AFTER_NS]
        wanted = {(flow.peer, flow.local): flow.node_id for flow in still if flow.peer and flow.local}
        if not wanted:
            return {}
        found: dict[int, str] = {}
        for thing in (*(one for loop in self.loops() for one in connections(loop)), *known()):
            end = queued_bytes.endpoint(thing)
            if end.peer is None or end.port is None:
                continue
            node_id = wanted.get((end.local or "", joined(end.peer, end.port)))
            if node_id is not None:
                found[id(thing)] = node_id
                protocol = asyncio_io.protocol_of(thing)
                if protocol is not None:
                    found[id(protocol)] = node_id
        return found
