# SPDX-License-Identifier: Apache-2.0
"""What there is to say where nothing is found: the longest wait, the longest call, for how long nobody has gone on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .. import semconv
from ..model import Edge, EdgeKind, Node, NodeKind, Providers, Wait, own_line
from ..model.operations import OPERATIONS, operation
from . import in_words, outside
from .sentences import Calm
from .shown import Shown

_BROUGHT = frozenset({NodeKind.EVENT, NodeKind.CONDITION, NodeKind.BARRIER, NodeKind.FUTURE})
"""What the program's own code ends a wait for. A queue is left out: its consumers wait for work."""
_DOUBTED = tuple(f"{kind}:" for kind in (*_BROUGHT, *outside.KINDS))
_POLLED = frozenset(name for name, row in OPERATIONS.items() if row.polls)
_LONG_NS = 15_000_000_000


class Waits:
    """Of `nodes`: `tasks`, `tasks_waiting`, and what the sentence for calm is made of."""

    def __init__(self, shown: Shown, nodes: Collection[Node]) -> None:
        self._shown = shown
        self.tasks: list[Node] = []
        self.tasks_waiting: list[Node] = []
        self._movers: list[Node] = []
        longest = _Longest()
        for node in nodes:  # once: there may be many thousands, and each is slow to come to
            if node.kind is NodeKind.TASK:
                self.tasks.append(node)
                self._movers.append(node)
                if node.wait is not None:
                    self.tasks_waiting.append(node)
                    longest.add(node.id, node.wait)
            elif node.kind is NodeKind.THREAD and not in_words.is_telemetry(node):
                self._movers.append(node)
        if not self.tasks_waiting:
            for node in nodes:
                if node.wait is not None and not in_words.is_telemetry(node):
                    longest.add(node.id, node.wait)
        self.longest = None if longest.best is None else _told(shown, *longest.best[1:])

    def calm(self, not_answered: int = 0) -> Calm:
        """`not_answered`: how many processes have not."""
        doubts = _Doubts(self._shown, self._movers)
        return Calm(
            len(self.tasks),
            self.longest,
            doubts.longest_call(),
            still_for(self._shown.now_ns, self._movers),
            not_answered,
            doubts.unjudged(),
            doubts.unanswered(),
            doubts.passed_over(),
        )


class _Longest:
    """The task or thread that has waited longest. One that sleeps only where all do: it knows its end."""

    def __init__(self) -> None:
        self.best: tuple[bool, int, str] | None = None
        self._sleeps: dict[str, bool] = {}

    def add(self, node_id: str, wait: Wait) -> None:
        asleep = self._sleeps.get(wait.operation)
        if asleep is None:
            asleep = self._sleeps[wait.operation] = operation(wait.operation).sleeps
        best = self.best
        if best is None or (asleep <= best[0] and (asleep, wait.since_ns, node_id) < best):
            self.best = asleep, wait.since_ns, node_id


class _Doubts:
    """What nobody is known to end, and the longest call."""

    def __init__(self, shown: Shown, movers: Sequence[Node]) -> None:
        self._shown = shown
        self._movers = movers
        self._unjudged: list[tuple[int, str]] = []
        self._passed_over: list[tuple[int, str, str]] = []
        self._outside: list[Node] = []
        self._call: tuple[int, str] | None = None
        self._since_most = shown.now_ns - _LONG_NS
        nodes, out = shown.view.nodes, shown.view.out
        for node in movers:
            if node.attributes:
                self._note_attributes(node)
            wait = node.wait
            if wait is None or wait.deadline_ns is not None or node.state == "idle":
                continue
            if (wait.operation in _POLLED or _may_be_doubted(out.get(node.id, ()))) and own_line.is_line(wait.source):
                self._note_wait(node, wait, _targets(node, nodes, out))

    def _note_attributes(self, node: Node) -> None:
        polled_ns, called_ns = polls_since(node), _in_call_since(node)
        if polled_ns is not None and polled_ns <= self._since_most:
            self._unjudged.append((polled_ns, node.id))
        if called_ns is not None and (self._call is None or (called_ns, node.id) < self._call):
            self._call = called_ns, node.id

    def _note_wait(self, node: Node, wait: Wait, targets: Sequence[Node | None]) -> None:
        """One in code of the program, without a deadline."""
        if wait.since_ns <= self._since_most:
            if _is_any_unknown(wait, targets, self._shown.view.out):
                self._unjudged.append((wait.since_ns, node.id))
            if by := _went_on(targets):
                self._passed_over.append((wait.since_ns, node.id, by))
        if any(target is not None and target.kind in outside.KINDS for target in targets):
            self._outside.append(node)

    def unjudged(self) -> tuple[dict[str, Any], int] | None:
        return _told(self._shown, *min(self._unjudged)) if self._unjudged else None

    def passed_over(self) -> tuple[dict[str, Any], int, str] | None:
        if not self._passed_over:
            return None
        since_ns, first, by = min(self._passed_over)
        return *_told(self._shown, since_ns, first), by

    def unanswered(self) -> tuple[dict[str, Any], int] | None:
        view, now_ns = self._shown.view, self._shown.now_ns
        if not self._outside:
            return None
        awaited = outside.awaited(self._movers, view.nodes, view.out)
        awaited |= outside.at_both_ends(self._movers, view.nodes, view.out)
        found: list[tuple[int, str]] = []
        for node in self._outside:
            since_ns = outside.since_ns(node, view.nodes, view.out, awaited)
            if since_ns is not None and now_ns - since_ns >= _LONG_NS:
                found.append((since_ns, node.id))
        return _told(self._shown, *min(found)) if found else None

    def longest_call(self) -> tuple[dict[str, Any], int] | None:
        """The thread that has been longest in one call of a C function that is no wait by a name, and for how long."""
        return None if self._call is None else _told(self._shown, *self._call)


def _told(shown: Shown, since_ns: int, node_id: str) -> tuple[dict[str, Any], int]:
    return shown.node(shown.view.nodes[node_id]), max(shown.now_ns - since_ns, 0)


def still_for(now_ns: int, nodes: Collection[Node]) -> int:
    """For how long none of these tasks and threads has gone on; 0 where one is about to, by itself or by its deadline.
    Threads that wait for work, or turn a loop, do not count."""
    last_ns = 0
    for node in nodes:
        if node.state == "idle":
            continue
        wait = node.wait
        since_ns = _in_call_since(node) if wait is None else wait.since_ns
        if since_ns is None or (wait is not None and (wait.deadline_ns or operation(wait.operation).sleeps)):
            return 0
        last_ns = max(last_ns, since_ns)
    return max(now_ns - last_ns, 0) if last_ns else 0


def _in_call_since(node: Node) -> int | None:
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


def is_unjudged(node: Node, nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> bool:
    """Whether it waits, in code of the program and without a deadline, for what somebody must bring, and neither is it
    known who has that nor was the heap asked who could."""
    wait = _own_wait(node)
    return wait is not None and _is_any_unknown(wait, _targets(node, nodes, out), out)


def passed_over_by(node: Node, nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> str:
    """Who, in words, could end its wait, in code of the program and without a deadline, and has gone on without doing
    so; empty where nobody was seen to."""
    return "" if _own_wait(node) is None else _went_on(_targets(node, nodes, out))


def _own_wait(node: Node) -> Wait | None:
    wait = node.wait
    if wait is None or wait.deadline_ns is not None or node.state == "idle" or not own_line.is_line(wait.source):
        return None
    return wait


def _targets(node: Node, nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> list[Node | None]:
    return [nodes.get(edge.dst) for edge in out.get(node.id, ()) if edge.kind is EdgeKind.NEEDS]


def _may_be_doubted(edges: Sequence[Edge]) -> bool:
    """By what a node waits for: nearly all wait for a lock, a queue or each other, and need not be read further."""
    is_waiting = False
    for edge in edges:
        if edge.kind is EdgeKind.NEEDS:
            if edge.dst.startswith(_DOUBTED):
                return True
            is_waiting = True
    return not is_waiting


def _is_any_unknown(wait: Wait, targets: Sequence[Node | None], out: Mapping[str, Sequence[Edge]]) -> bool:
    if not targets:
        return operation(wait.operation).kind in _BROUGHT
    if wait.operation in _POLLED:  # somebody elsewhere may have it, or nobody any more
        return not any(e.kind is EdgeKind.HELD_BY for one in targets if one is not None for e in out.get(one.id, ()))
    return any(target is not None and _is_unknown(target, out.get(target.id, ())) for target in targets)


def _went_on(targets: Sequence[Node | None]) -> str:
    target = targets[0] if len(targets) == 1 else None
    if target is None or target.kind not in _BROUGHT:
        return ""
    by = target.attributes.get(semconv.COULD_END_BY)
    return by if semconv.COULD_END_WENT_ON in target.attributes and type(by) is str else ""


def _is_unknown(thing: Node, edges: Sequence[Edge]) -> bool:
    if thing.kind not in _BROUGHT or thing.providers is Providers.CLOSED:
        return False
    return semconv.COULD_END_ASKED not in thing.attributes and not any(e.kind is EdgeKind.HELD_BY for e in edges)
