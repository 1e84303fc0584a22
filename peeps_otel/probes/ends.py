# SPDX-License-Identifier: Apache-2.0
"""The two ends of connections and pipes within this host, for whoever sees several processes.

Of a connection at which somebody has waited for seconds it is told what its two ends are called and what stands there.
Whoever sees the other end's process (the collector) asks that by the end's name; the process then shows its end as a
node of its own, for the heap to say who could write to it. Costs nothing until somebody waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import semconv
from ..model import AttributeValue, Confidence, EdgeKind, Node, NodeKind, own_line
from .backlogs import Backlogs
from .identity import Identities, NodeIds
from .internals import end_names, process_files, queued_bytes, unaccepted
from .internals.end_names import EndNames
from .probe import Observation
from .unwatched import Unwatched

_EVERY_NS = 1_000_000_000
_SHOWN_AFTER_NS = 3_000_000_000
_OPEN_EVERY_NS = 10_000_000_000
_WANTED_FOR_NS = 150_000_000_000  # the collector asks again while somebody waits
_SEARCH_MOST_NS = 60_000_000_000  # between two searches that find nothing
_WATCHED_MOST = 200
_ASKED_MOST = 100


@dataclass(slots=True)
class _End:
    """One that somebody waits for, since `since_ns` at least. `names`: None while they are not known. `is_unaccepted`:
    nobody has the other end yet. `accepter`: the ident of the thread of this process that alone could accept it; None
    where nobody is known to be that. `own_service`: the address at which this process itself would have to answer, or
    else empty. `due_ns`: when it is to be looked up again."""

    node_id: str
    since_ns: int = 0
    is_named: bool = False
    names: EndNames | None = None
    unread: int | None = None
    is_unaccepted: bool = False
    accepter: int | None = None
    own_service: str = ""
    due_ns: int = 0


@dataclass(slots=True)
class _Far:
    """One that somebody in another process waits for. `open_ns`: when it was looked up who else has it."""

    node_id: str
    fd: int
    names: EndNames
    created_ns: int
    asked_ns: int
    open_ns: int = 0
    also_open: str = ""
    node: Node | None = None


class Ends:
    """For the watcher thread only, but for `ask`."""

    def __init__(self, ids: NodeIds) -> None:
        self._ids = ids
        self._watched: Identities[_End] = Identities()
        self._unwatched = Unwatched(ids)
        self._backlogs = Backlogs(ids)
        self._asked: deque[str] = deque(maxlen=_ASKED_MOST)
        self._far: dict[str, _Far] = {}
        self._wanted: set[str] = set()
        self._pause_ns, self._search_ns = _EVERY_NS, 0
        self._looked_ns = 0
        self._left_out = False
        self.every_ns = _EVERY_NS
        self.loops: Callable[[], Iterable[asyncio.AbstractEventLoop]] = lambda: ()
        self.servers: Callable[[], Mapping[int, int]] = lambda: {}
        """By descriptor: the ident of the thread that accepts by it in a server without a loop."""

    @property
    def has_any(self) -> bool:
        """Whether somebody waits for one."""
        return len(self._watched) > 0

    def ask(self, digest: str) -> None:
        """Somebody waits for the other end of this one, see `end_digest`. From any thread."""
        self._asked.append(digest)

    def waited_for(self, thing: Any, node_id: str) -> None:
        """Somebody waits for this connection, pipe or descriptor."""
        if self._watched.get(thing) is not None or not _may_be_within(thing):
            return
        self._left_out = len(self._watched) >= _WATCHED_MOST
        if not self._left_out:
            self._watched.put(thing, _End(node_id))

    def of(self, thing: object) -> dict[str, AttributeValue]:
        """What to say of a connection for which somebody has waited for seconds; empty for any other."""
        end = self._watched.get(thing)
        if end is None or end.names is None:
            return {}
        said: dict[str, AttributeValue] = {semconv.IO_HERE: end.names.here, semconv.IO_THERE: end.names.there}
        if end.is_unaccepted:
            said[semconv.IO_IS_UNACCEPTED] = True
        if end.accepter is not None:
            said[semconv.COULD_END_ASKED] = end.due_ns
        return said if end.unread is None else said | {semconv.IO_UNREAD: end.unread}

    def accepter(self, thing: object) -> int | None:
        """The ident of the thread that alone could accept the other end of a connection somebody waits for: nobody has
        that end yet. None for any other."""
        end = self._watched.get(thing)
        return None if end is None else end.accepter

    def own_service(self, thing: object) -> str:
        """`host:port` of a socket of this process, by which it would have to answer whoever waits for this connection;
        empty for any other."""
        end = self._watched.get(thing)
        return "" if end is None else end.own_service

    def look(self, observation: Observation, now_ns: int) -> None:
        """Once a second: who still waits, and what stands at those ends. `observation`: with the edges of all tasks and
        threads."""
        asked = self._asked or self._wanted or self._far or len(self._backlogs)
        if now_ns - self._looked_ns < self.every_ns or not (asked or len(self._watched)):
            return
        self._looked_ns = now_ns
        if len(self._watched):
            self._look_at_watched(observation, now_ns)
        self._unwatched.look(self._named(), now_ns)
        if len(self._backlogs):
            self._backlogs.find((), self._accepts_by, now_ns)  # they may have been accepted
        self._find_asked(now_ns)
        for digest, far in list(self._far.items()):
            if now_ns - far.asked_ns > _WANTED_FOR_NS or process_files.link_of(far.fd) != far.names.link:
                del self._far[digest]
            else:
                self._describe(far, now_ns)
        if self._left_out:
            observation.coverage.append(
                f"sockets and pipes: of {_WATCHED_MOST} that somebody waits for the other end is looked for, not of all"
            )

    def show(self, observation: Observation, thread_id: Callable[[int], str | None]) -> None:
        """Adds the ends that others wait for, and those of programs that nobody watches. `thread_id`: the node of a
        thread, by its ident."""
        self._unwatched.show(observation)
        self._backlogs.show(observation, thread_id)
        for far in self._far.values():
            if far.node is not None:
                observation.nodes[far.node_id] = far.node

    def descriptors(self) -> dict[str, int]:
        """By node: the descriptors of the ends that others wait for, to find who has them on the heap."""
        return {far.node_id: far.fd for far in self._far.values()}

    # --- those that somebody here waits for ---------------------------------------------------------------------------

    def _look_at_watched(self, observation: Observation, now_ns: int) -> None:
        ids = {end.node_id for _, end in self._watched.records()}
        waited_for = {
            edge.dst
            for edges in observation.edges.values()
            for edge in edges
            if edge.kind is EdgeKind.NEEDS and edge.dst in ids
        }
        self._watched.sweep(lambda end: end.node_id not in waited_for, lambda: None)
        unnamed: dict[int, _End] = {}
        for reference, end in self._watched.records():
            thing = reference()
            fd = None if thing is None else queued_bytes.endpoint(thing).fd
            end.since_ns = end.since_ns or now_ns
            if fd is None or now_ns - end.since_ns < _SHOWN_AFTER_NS:
                continue
            if not end.is_named:
                end.is_named, end.names = True, _by_address(thing, fd)
                if end.names is None:
                    unnamed[fd] = end
            end.unread = queued_bytes.waiting(fd)
            self._look_who_accepts(end, now_ns)
        for fd, names in (end_names.of_descriptors(unnamed) if unnamed else {}).items():
            end = unnamed[fd]
            end.names, end.unread = names, queued_bytes.waiting(fd)

    def _named(self) -> dict[int, EndNames]:
        """By descriptor: the pipes and Unix sockets for which somebody has waited for seconds."""
        found: dict[int, EndNames] = {}
        for reference, end in self._watched.records():
            thing = reference()
            fd = None if thing is None else queued_bytes.endpoint(thing).fd
            if fd is not None and end.names is not None and "/tcp/" not in end.names.here:
                found[fd] = end.names
        return found

    def _look_who_accepts(self, end: _End, now_ns: int) -> None:
        """Again where nobody is known: who was to accept it has not done so for seconds."""
        if end.names is None or end.accepter is not None or end.unread != 0 or now_ns < end.due_ns:
            return
        end.due_ns = now_ns + _OPEN_EVERY_NS
        found = unaccepted.of(end.names)
        end.is_unaccepted = found is not None
        if found is not None and found.listener is not None:
            end.accepter = self._accepts_by(found.listener)
        end.own_service = unaccepted.own_service(end.names)

    def _accepts_by(self, listener: int) -> int | None:
        return unaccepted.loop_that_accepts(listener, self.loops()) or self.servers().get(listener)

    # --- those that somebody else waits for ---------------------------------------------------------------------------

    def _find_asked(self, now_ns: int) -> None:
        wanted: set[str] = set()
        while self._asked:
            digest = self._asked.popleft()
            known = self._far.get(digest)
            if known is not None:
                known.asked_ns = now_ns
            else:
                wanted.add(digest)
        self._wanted = set(list(self._wanted | wanted)[:_ASKED_MOST])
        if not self._wanted or now_ns < self._search_ns:
            return
        found = False
        for digest, (fd, names) in end_names.own_ends().items():
            if digest in self._wanted and len(self._far) < _ASKED_MOST:
                self._far[digest] = _Far(self._ids.new(NodeKind.IO, now_ns), fd, names, now_ns, now_ns)
                found = True
        found |= self._backlogs.find(self._wanted - self._far.keys(), self._accepts_by, now_ns)
        self._wanted.clear()
        # Most of what is asked for is in another process; to look is dear where there are many connections.
        self._pause_ns = self.every_ns if found else min(2 * self._pause_ns, _SEARCH_MOST_NS)
        self._search_ns = now_ns + self._pause_ns

    def _describe(self, far: _Far, now_ns: int) -> None:
        if now_ns - far.open_ns > _OPEN_EVERY_NS:
            far.open_ns = now_ns
            far.also_open = ", ".join(map(str, end_names.also_open_in(far.names)))
        pending = queued_bytes.in_flight(far.fd)
        known: dict[str, AttributeValue | None] = {
            semconv.RESOURCE_TYPE: "os.pipe" if far.names.is_pipe else "socket.socket",
            semconv.IO_FD: far.fd,
            semconv.IO_HERE: far.names.here,
            semconv.IO_THERE: far.names.there,
            semconv.IO_IS_FAR: True,
            semconv.IO_IN_FLIGHT: pending,
            semconv.IO_ALSO_OPEN: far.also_open or None,
        }
        node = Node(
            id=far.node_id,
            kind=NodeKind.IO,
            name=f"fd {far.fd}",
            created_at=far.created_ns,
            source=own_line.UNKNOWN,
            confidence=Confidence.INFERRED,
            attributes={name: value for name, value in known.items() if value is not None},
        )
        if far.node != node:
            far.node = node


def _may_be_within(thing: Any) -> bool:
    """False for a connection that is known to lead to another host."""
    end = queued_bytes.endpoint(thing)
    if end.peer is None or end.port is None or end.local is None:
        return end.fd is not None
    return end_names.is_within(end_names.host_of(end.local), end.peer)


def _by_address(thing: Any, fd: int) -> EndNames | None:
    """Of a TCP connection whose addresses are known already: the kernel need not list all of them."""
    end = queued_bytes.endpoint(thing)
    if end.peer is None or end.port is None or end.local is None:
        return None
    return end_names.of_connection(fd, end.local, end.peer, end.port)
