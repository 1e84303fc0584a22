# SPDX-License-Identifier: Apache-2.0
"""Who could end a wait for what `multiprocessing` shares between processes: a lock, an event, a barrier, a queue; and
for a lock on a file.

Who waits for one says which processes may have it. Where all of these report to us, anybody of them could
end the wait, and nobody else: edges to their threads, beside the processes' own nodes and edges, which are never
changed. Threads that only do what others tell them are none of those. Where one other process has it, and only one
thread there does anything, that one holds it.

What a pool of processes owes, its workers that are at work could bring, and the threads by which work comes to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from .. import semconv
from ..model import Confidence, Edge, EdgeKind, Node, NodeKind, own_line
from .parties import Party, Turned

_IDLE = "idle"
_TOLD_WHAT_TO_DO = (
    *("concurrent/futures/thread.py", "concurrent/futures/process.py"),
    *("multiprocessing/pool.py", "multiprocessing/queues.py"),
)
"""Threads in here that are idle go on when somebody else has."""
_OWED = (NodeKind.FUTURE, NodeKind.EXECUTOR)


class _Process(NamedTuple):
    host: str
    pid: int


class _Thread(NamedTuple):
    """`acts`: it may end a wait of itself. `feeds`: it works for a pool or a queue. `is_main`: by it its process is
    known to be seen. `on_signal`: a signal may make it do anything."""

    acts: bool
    feeds: bool
    is_main: bool
    on_signal: bool


@dataclass(slots=True)
class _Waited:
    """A thing as one process has it. `family`: the processes that may share it, its own too."""

    node: Node
    of: Party
    family: tuple[_Process, ...]
    links: tuple[Edge, ...] = ()

    @property
    def concerned(self) -> set[_Process]:
        """The processes whose threads matter: of what a pool owes also the one that has the pool."""
        owed = self.node.kind in _OWED and self.of.pid is not None
        return {*self.family, *([_Process(self.of.host, self.of.pid or 0)] if owed else [])}


class Shared:
    """Not thread-safe: guarded by the lock of the live graph."""

    def __init__(self) -> None:
        self._waited: dict[str, _Waited] = {}
        self._of_family: dict[_Process, set[str]] = {}
        self._threads: dict[_Process, dict[str, _Thread]] = {}
        self._process_of: dict[str, _Process] = {}  # by node of a thread

    def put(self, node: Node, of: Party) -> list[Turned]:
        """A node as it is now. Of others than threads and what processes share nothing is kept."""
        if node.kind is NodeKind.THREAD:
            return self._put_thread(node, of)
        family = _family(node, of)
        known = self._waited.get(node.id)
        if known is not None and known.family == family:
            known.node = node
            return []
        before = [] if known is None else self.drop(node.id)
        if not family:
            return before
        waited = self._waited[node.id] = _Waited(node, of, family)
        for process in waited.concerned:
            self._of_family.setdefault(process, set()).add(node.id)
        return before + self._settle([node.id])

    def _put_thread(self, node: Node, of: Party) -> list[Turned]:
        if of.pid is None:
            return []
        process, thread = _Process(of.host, of.pid), _thread(node, of.pid)
        before = self._process_of.get(node.id, process)
        gone = self.drop(node.id) if before != process else []
        threads = self._threads.setdefault(process, {})
        self._process_of[node.id] = process
        if threads.get(node.id) == thread:
            return gone
        threads[node.id] = thread
        return gone + self._settle(self._of_family.get(process, ()))

    def drop(self, node_id: str) -> list[Turned]:
        """A node is gone, or is none of these any more."""
        process = self._process_of.pop(node_id, None)
        if process is not None:
            threads = self._threads[process]
            del threads[node_id]
            if not threads:
                del self._threads[process]
            return self._settle(self._of_family.get(process, ()))
        waited = self._waited.pop(node_id, None)
        if waited is None:
            return []
        for one in waited.concerned:
            ids = self._of_family[one]
            ids.discard(node_id)
            if not ids:
                del self._of_family[one]
        return [Turned(waited.of.key, node_id, waited.links, ())] if waited.links else []

    def links(self, node_id: str) -> tuple[Edge, ...]:
        """Who could end a wait for it; empty where that is not known of all who share it."""
        waited = self._waited.get(node_id)
        return () if waited is None else waited.links

    def dressed(self, node: Node) -> Node:
        """The node with what is known of those who share it."""
        waited = self._waited.get(node.id)
        if waited is None or not waited.links:
            return node
        about = {name: value for name, value in node.attributes.items() if name != semconv.COULD_END_OUTSIDE}
        return replace(node, attributes=about | {semconv.COULD_END_ASKED: node.created_at})

    def ids(self) -> Set[str]:
        return self._waited.keys()

    def _settle(self, ids: Iterable[str]) -> list[Turned]:
        turned: list[Turned] = []
        for node_id in sorted(ids):
            waited = self._waited[node_id]
            before, waited.links = waited.links, self._judged(waited)
            if waited.links != before:
                turned.append(Turned(waited.of.key, node_id, before, waited.links))
        return turned

    def _judged(self, waited: _Waited) -> tuple[Edge, ...]:
        able: list[str] = []
        for process in waited.family:
            threads = self._threads.get(process, {})
            if not any(one.is_main for one in threads.values()) or any(one.on_signal for one in threads.values()):
                return ()
            able += [node_id for node_id, one in threads.items() if one.acts]
        if able:
            for process in waited.concerned.difference(waited.family):
                able += [node_id for node_id, one in self._threads.get(process, {}).items() if one.feeds]
        elsewhere = waited.of.pid not in {one.pid for one in waited.family}
        kind = (
            EdgeKind.HELD_BY
            if elsewhere and len(able) == 1 and waited.node.kind is NodeKind.LOCK
            else EdgeKind.COULD_END
        )
        since_ns = waited.node.created_at if kind is EdgeKind.HELD_BY else None
        return tuple(Edge(kind, waited.node.id, one, since_ns, confidence=Confidence.INFERRED) for one in sorted(able))


def _family(node: Node, of: Party) -> tuple[_Process, ...]:
    told = node.attributes.get(semconv.RESOURCE_SHARED_WITH)
    pids = told.split(", ") if isinstance(told, str) else []
    return tuple(sorted(_Process(of.host, int(pid)) for pid in pids if pid.isdecimal()))


def _thread(node: Node, pid: int) -> _Thread:
    return _Thread(
        acts=_acts(node),
        feeds=node.state != _IDLE and _is_told(node),
        is_main=node.attributes.get(semconv.THREAD_NATIVE_ID) == pid,
        on_signal=node.attributes.get(semconv.THREAD_HANDLES_SIGNALS) is True,
    )


def _is_told(node: Node) -> bool:
    return any(frame.file.endswith(_TOLD_WHAT_TO_DO) for frame in node.stack)


def _acts(node: Node) -> bool:
    if (node.state == _IDLE and _is_told(node)) or semconv.COMMAND_PID in node.attributes:  # another program
        return False
    # A thread of a library alone (of OpenTelemetry, say) does not end what the program shares.
    own = own_line.innermost(node.stack) is not None
    return own or all(frame.library in (None, own_line.PYTHON) for frame in node.stack)
