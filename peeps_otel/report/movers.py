# SPDX-License-Identifier: Apache-2.0
"""What the sentence for calm is made of: counted over all tasks and threads, or kept while they change one by one."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .. import semconv
from ..model import Edge, EdgeKind, Node, NodeKind, own_line
from ..model.operations import OPERATIONS, operation
from . import outside
from .in_words import is_telemetry

BROUGHT = frozenset({NodeKind.EVENT, NodeKind.CONDITION, NodeKind.BARRIER, NodeKind.FUTURE})
"""What the program's own code ends a wait for. A queue is left out: its consumers wait for work."""
POLLED = frozenset(name for name, row in OPERATIONS.items() if row.polls)
_DOUBTED = tuple(f"{kind}:" for kind in (*BROUGHT, *outside.KINDS))
_SLEEPS = frozenset(name for name, row in OPERATIONS.items() if row.sleeps)
_IDLE, _GOES_ON = 0, -1
_STALE_MOST = 1000


@dataclass(frozen=True, slots=True)
class Movers:
    """`tasks`, and how many of them are `waiting`; `longest`: since when, and who, has waited longest;
    `still_since_ns`: since when none has gone on, 0 where one is about to; `doubtful`: all of whom there may be
    something to doubt."""

    tasks: int
    waiting: int
    longest: tuple[int, str] | None
    still_since_ns: int
    doubtful: Sequence[Node]


def counted(nodes: Collection[Node], out: Mapping[str, Sequence[Edge]]) -> Movers:
    """Of all of these nodes."""
    tasks = waiting = 0
    longest: tuple[bool, int, str] | None = None
    doubtful: list[Node] = []
    still_ns, goes_on = 0, False
    for node in nodes:  # once: there may be many thousands, and each is slow to come to
        if node.kind is NodeKind.TASK:
            tasks += 1
            if node.wait is not None:
                waiting += 1
                key = _key(node)
                longest = key if longest is None else min(longest, key)
        elif not is_mover(node):
            continue
        since_ns = stands_since(node)
        goes_on |= since_ns == _GOES_ON
        still_ns = max(still_ns, since_ns)
        if is_doubtful(node, out.get(node.id, ())):
            doubtful.append(node)
    if not waiting:
        longest = min((_key(node) for node in nodes if _waits(node)), default=None)
    return Movers(tasks, waiting, None if longest is None else longest[1:], 0 if goes_on else still_ns, tuple(doubtful))


class KeptMovers:
    """The same of nodes that change one by one: what it costs is what has changed. Not thread-safe."""

    def __init__(self) -> None:
        self._of: dict[str, Node] = {}
        self._doubtful: dict[str, Node] = {}
        self._tasks = self._waiting = self._going_on = 0
        self._awake, self._asleep, self._still = _Least(), _Least(), _Least()

    def update(self, nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> None:
        """These nodes as they are now, with the outgoing edges of each."""
        for node_id, node in nodes.items():
            self._put(node, out[node_id])

    def _put(self, node: Node, edges: Sequence[Edge]) -> None:
        """Of what is neither task nor thread little is kept."""
        before, moves = self._of.get(node.id), is_mover(node)
        if before is None and not moves and node.wait is None:
            return
        if before is not node:
            if before is not None:
                self._count(before, -1)
            self._of[node.id] = node
            self._count(node, 1)
        if moves and is_doubtful(node, edges):
            self._doubtful[node.id] = node
        elif node.id in self._doubtful:
            del self._doubtful[node.id]

    def drop(self, node_id: str) -> None:
        before = self._of.pop(node_id, None)
        if before is not None:
            self._count(before, -1)
            self._doubtful.pop(node_id, None)

    def counted(self) -> Movers:
        if self._waiting:
            longest = self._awake.least() or self._asleep.least()
        else:  # as rare as it is short: a program without a task that waits
            first = min((_key(node) for node in self._of.values() if _waits(node)), default=None)
            longest = None if first is None else first[1:]
        last = None if self._going_on else self._still.least()
        return Movers(
            self._tasks, self._waiting, longest, 0 if last is None else -last[0], tuple(self._doubtful.values())
        )

    def _count(self, node: Node, by: int) -> None:
        if node.kind is NodeKind.TASK:
            self._tasks += by
            if node.wait is not None:
                self._waiting += by
                waits = self._asleep if node.wait.operation in _SLEEPS else self._awake
                waits.put(node.id, node.wait.since_ns if by > 0 else None)
        elif not is_mover(node):
            return
        since_ns = stands_since(node)
        if since_ns == _GOES_ON:
            self._going_on += by
        elif since_ns != _IDLE:
            self._still.put(node.id, -since_ns if by > 0 else None)


class _Least:
    """The least number and whose it is. What it was before stays where it lies until it would be the least."""

    def __init__(self) -> None:
        self._now: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._fresh: list[tuple[int, str]] = []

    def put(self, node_id: str, number: int | None) -> None:
        """None: it has none any more."""
        if number is None:
            self._now.pop(node_id, None)
            return
        self._now[node_id] = number
        self._fresh.append((number, node_id))
        if len(self._fresh) > 2 * len(self._now) + _STALE_MOST:
            self.least()  # nobody has asked for long

    def least(self) -> tuple[int, str] | None:
        heap, now, fresh = self._heap, self._now, self._fresh
        if len(heap) + len(fresh) > 2 * len(now) + _STALE_MOST or len(fresh) > len(heap):
            self._heap = heap = [(number, one) for one, number in now.items()]
            heapq.heapify(heap)
        else:
            for one in fresh:
                heapq.heappush(heap, one)
        fresh.clear()
        while heap and now.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0] if heap else None


def is_mover(node: Node) -> bool:
    """A task or thread; not one of OpenTelemetry's or of ours."""
    return node.kind is NodeKind.TASK or (node.kind is NodeKind.THREAD and not is_telemetry(node))


def _waits(node: Node) -> bool:
    return node.wait is not None and not is_telemetry(node)


def _key(node: Node) -> tuple[bool, int, str]:
    """One that sleeps only where all do: it knows its end."""
    assert node.wait is not None
    return node.wait.operation in _SLEEPS, node.wait.since_ns, node.id


def stands_since(node: Node) -> int:
    """Since when a task or thread has not gone on; -1 where it is about to, by itself or by its deadline, and 0 for one
    that does not count: it waits for work, or turns a loop."""
    if node.state == "idle":
        return _IDLE
    wait = node.wait
    if wait is None:
        since_ns = in_call_since(node)
        return _GOES_ON if since_ns is None else since_ns
    return _GOES_ON if wait.deadline_ns or operation(wait.operation).sleeps else wait.since_ns


def is_doubtful(node: Node, edges: Sequence[Edge]) -> bool:
    """Whether there may be something to say of it: of most nodes it need not be looked for."""
    if node.attributes and (polls_since(node) is not None or in_call_since(node) is not None):
        return True
    wait = node.wait
    if wait is None or wait.deadline_ns is not None or node.state == "idle":
        return False
    return (wait.operation in POLLED or _may_be_doubted(edges)) and own_line.is_line(wait.source)


def _may_be_doubted(edges: Sequence[Edge]) -> bool:
    """By what a node waits for: nearly all wait for a lock, a queue or each other, and need not be read further."""
    is_waiting = False
    for edge in edges:
        if edge.kind is EdgeKind.NEEDS:
            if edge.dst.startswith(_DOUBTED):
                return True
            is_waiting = True
    return not is_waiting


def in_call_since(node: Node) -> int | None:
    """Since when a thread has been in one call of a C function that is no wait by a name."""
    since_ns = node.attributes.get(semconv.THREAD_CALL_SINCE)
    return since_ns if node.wait is None and type(since_ns) is int else None


def polls_since(node: Node) -> int | None:
    """Since when it asks again and again, by code of the program, in a loop that may end some day. None for one that a
    signal may stop, which is to run until then, and for a library's own, such as that of a server."""
    since_ns = node.attributes.get(semconv.POLL_SINCE)
    if type(since_ns) is not int or semconv.THREAD_HANDLES_SIGNALS in node.attributes:
        return None
    own = own_line.is_line(own_line.place(node.stack) if node.wait is None else node.wait.source)
    return since_ns if own else None
