# SPDX-License-Identifier: Apache-2.0
"""Child processes that nobody watches, at the other end of a pipe or socket that somebody here waits for.

Of one with a single thread the kernel tells as much as we know of our own: the call that it sleeps in, and by which
pipe. So it is shown as a thread with its wait, and what it has of the pipe as the other end of that. Whether it waits
for us comes out of the same reduction then. A process of which anything is not known is left out, and with it the end.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from .. import semconv
from ..model import AttributeValue, Confidence, Edge, EdgeKind, Node, NodeKind, Wait, own_line
from .identity import NodeIds
from .internals import end_names, other_process, queued_bytes
from .internals.end_names import EndNames
from .internals.other_process import READ, WAIT, WRITE, Sleeper
from .probe import Observation

_EVERY_NS = 2_000_000_000
_PAUSE_TIMES = 300
"""So much longer than a look has taken is the pause after it: a large family is asked ever more seldom."""
_ENDS_MOST = 20
_OPERATIONS = {READ: "file.read", WRITE: "file.write", WAIT: "process.wait"}
_SOURCE = "in another program"


@dataclass(slots=True)
class _Process:
    """`stands_ns`: since when it is in the call that it was last seen in."""

    thread_id: str
    end_id: str
    created_ns: int
    sleeper: Sleeper
    stands_ns: int


class _End(NamedTuple):
    id: str
    created_ns: int


@dataclass(slots=True)
class _Shown:
    nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    edges: dict[str, tuple[Edge, ...]] = field(default_factory=dict[str, tuple[Edge, ...]])


class Unwatched:
    """For the watcher thread only. Asks the kernel every two seconds or more seldom, while somebody waits at a pipe for
    some seconds and this process has children."""

    def __init__(self, ids: NodeIds) -> None:
        self._ids = ids
        self._known: dict[int, _Process] = {}
        self._ends: dict[str, _End] = {}  # by name: an end that such a process has
        self._shown = _Shown()
        self._looked_ns, self._pause_ns = 0, _EVERY_NS

    def look(self, waited: dict[int, EndNames], now_ns: int) -> None:
        """`waited`: by descriptor, the pipes and sockets for which somebody here has waited for seconds."""
        if now_ns - self._looked_ns < self._pause_ns:
            return
        self._looked_ns, began_ns = now_ns, time.thread_time_ns()
        before, self._shown = self._shown, _Shown()
        relatives = other_process.relatives() if waited else []
        for fd, names in list(waited.items())[:_ENDS_MOST] if relatives else ():
            self._show_far(fd, names, relatives, now_ns)
        self._known = {pid: one for pid, one in self._known.items() if one.thread_id in self._shown.nodes}
        self._ends = {name: end for name, end in self._ends.items() if end.id in self._shown.nodes}
        for node_id, node in self._shown.nodes.items():
            if before.nodes.get(node_id) == node:  # the snapshot tells changes by identity
                self._shown.nodes[node_id] = before.nodes[node_id]
        for node_id, edges in self._shown.edges.items():
            if before.edges.get(node_id) == edges:
                self._shown.edges[node_id] = before.edges[node_id]
        self._pause_ns = max(_EVERY_NS, _PAUSE_TIMES * (time.thread_time_ns() - began_ns))

    def show(self, observation: Observation) -> None:
        observation.nodes |= self._shown.nodes
        observation.edges |= self._shown.edges

    # --- inside -------------------------------------------------------------------------------------------------------

    def _show_far(self, fd: int, names: EndNames, relatives: list[int], now_ns: int) -> None:
        """The other end of one that is waited for, if all who have it are known."""
        link, written = _link_of(names), names.there.endswith("/write")
        have = [pid for pid in (os.getpid(), *relatives) if other_process.has_end(pid, link, written)]
        if os.getpid() in have:
            return
        sleepers = {pid: one for pid in have if (one := other_process.sleeper(pid)) is not None}
        if not have or len(sleepers) < len(have) or any(not _is_known(one, sleepers) for one in sleepers.values()):
            return
        threads = [self._show_process(one, sleepers, now_ns) for one in sleepers.values()]
        end = self._ends.setdefault(names.there, _End(self._ids.new(NodeKind.IO, now_ns), now_ns))
        in_flight = queued_bytes.waiting(fd) if names.is_pipe else queued_bytes.in_flight(fd)
        known: dict[str, AttributeValue | None] = {
            semconv.RESOURCE_TYPE: "os.pipe" if names.is_pipe else "socket.socket",
            semconv.IO_HERE: names.there,
            semconv.IO_THERE: names.here,
            semconv.IO_IS_FAR: True,
            semconv.IO_IN_FLIGHT: in_flight,
            semconv.IO_PEER_PROCESS: " and ".join(one.name for one in sleepers.values()),
            semconv.COULD_END_ASKED: end.created_ns,
        }
        self._put(_io(end.id, "", end.created_ns, known))
        self._shown.edges[end.id] = tuple(
            Edge(EdgeKind.COULD_END, end.id, one, confidence=Confidence.INFERRED) for one in threads
        )

    def _show_process(self, one: Sleeper, sleepers: dict[int, Sleeper], now_ns: int) -> str:
        """Its thread, what that waits for, and the end that it does so by."""
        known = self._known.get(one.pid)
        if known is None:
            ids = self._ids.new(NodeKind.THREAD, now_ns), self._ids.new(NodeKind.IO, now_ns)
            known = self._known[one.pid] = _Process(*ids, now_ns, one, now_ns)
        elif known.sleeper != one:
            known.sleeper, known.stands_ns = one, now_ns
        if known.thread_id in self._shown.nodes:
            return known.thread_id
        self._put(_thread(known))
        if one.does == WAIT:
            awaited = [sleepers[pid] for pid in other_process.children_of(one.pid) if pid in sleepers]
            waits = [self._show_process(child, sleepers, now_ns) for child in awaited]
        else:
            waits = [known.end_id]
            self._put(_own_end(known))
        since_ns = known.stands_ns
        self._shown.edges[known.thread_id] = tuple(
            Edge(EdgeKind.NEEDS, known.thread_id, target, since_ns, _SOURCE) for target in waits
        )
        return known.thread_id

    def _put(self, node: Node) -> None:
        self._shown.nodes[node.id] = node


def _is_known(one: Sleeper, sleepers: dict[int, Sleeper]) -> bool:
    """One that waits for the end of its children goes on with any of them."""
    if one.does != WAIT:
        return True
    awaited = other_process.children_of(one.pid)
    return bool(awaited) and all(pid in sleepers for pid in awaited)


def _link_of(names: EndNames) -> str:
    """What the other end is in `/proc`."""
    return names.link if names.is_pipe else f"socket:[{names.there.rpartition('/')[2]}]"


def _thread(known: _Process) -> Node:
    one = known.sleeper
    return Node(
        id=known.thread_id,
        kind=NodeKind.THREAD,
        name=one.name.rpartition(" (")[0] or one.name,
        created_at=known.created_ns,
        source=own_line.UNKNOWN,
        confidence=Confidence.INFERRED,
        state="waiting" if one.does == WAIT else "blocked",
        wait=Wait(_OPERATIONS[one.does], known.stands_ns, _SOURCE),
        steps=one.turns,
        attributes={semconv.THREAD_PROCESS: one.name, semconv.COMMAND_PID: one.pid},
    )


def _own_end(known: _Process) -> Node:
    one = known.sleeper
    stream = {0: "its stdin", 1: "its stdout", 2: "its stderr"}.get(one.fd, f"its fd {one.fd}")
    names = end_names.of_other(one.link, one.does == WRITE)
    about: dict[str, AttributeValue | None] = {
        semconv.RESOURCE_TYPE: "os.pipe" if one.link.startswith("pipe:") else "socket.socket",
        semconv.IO_HERE: None if names is None else names.here,
        semconv.IO_THERE: None if names is None else names.there,
        semconv.IO_UNMOVED_SINCE: known.stands_ns if one.does == WRITE else None,
        semconv.IO_UNREAD: 0 if one.does == READ else None,
    }
    return _io(known.end_id, stream, known.created_ns, about)


def _io(node_id: str, name: str, created_ns: int, about: dict[str, AttributeValue | None]) -> Node:
    return Node(
        id=node_id,
        kind=NodeKind.IO,
        name=name,
        created_at=created_ns,
        source=own_line.UNKNOWN,
        confidence=Confidence.INFERRED,
        attributes={key: value for key, value in about.items() if value is not None},
    )
