# SPDX-License-Identifier: Apache-2.0
"""What there is to say where nothing is found: the longest wait, the longest call, for how long nobody has gone on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .. import semconv
from ..model import Edge, EdgeKind, Node, NodeKind, Providers, own_line
from ..model.operations import operation
from . import in_words, outside
from .sentences import Calm
from .shown import Shown

_BROUGHT = frozenset({NodeKind.EVENT, NodeKind.CONDITION, NodeKind.BARRIER, NodeKind.FUTURE})
"""What the program's own code ends a wait for. A queue is left out: its consumers wait for work."""
_LONG_NS = 15_000_000_000


class Waits:
    """Of `nodes`: `tasks`, `tasks_waiting`, and what the sentence for calm is made of."""

    def __init__(self, shown: Shown, nodes: Collection[Node]) -> None:
        self._shown = shown
        waiting = [node for node in nodes if node.wait is not None]
        self.tasks = [node for node in nodes if node.kind is NodeKind.TASK]
        self.tasks_waiting = [node for node in self.tasks if node.wait is not None]
        own = self.tasks_waiting or [node for node in waiting if not in_words.is_telemetry(node)]
        self.longest = longest_wait(shown, own)
        self._movers = [n for n in nodes if n.kind in (NodeKind.TASK, NodeKind.THREAD) and not in_words.is_telemetry(n)]

    def calm(self, not_answered: int = 0) -> Calm:
        """`not_answered`: how many processes have not."""
        call, still_ns = longest_call(self._shown, self._movers), still_for(self._shown.now_ns, self._movers)
        return Calm(
            len(self.tasks),
            self.longest,
            call,
            still_ns,
            not_answered,
            self._unjudged(),
            self._unanswered(),
            self._passed_over(),
        )

    def _unjudged(self) -> tuple[dict[str, Any], int] | None:
        view, now_ns = self._shown.view, self._shown.now_ns
        found = [
            (node.wait.since_ns, node.id)
            for node in self._movers
            if node.wait is not None
            and now_ns - node.wait.since_ns >= _LONG_NS
            and is_unjudged(node, view.nodes, view.out)
        ]
        polls = ((polls_since(node), node.id) for node in self._movers)
        found += [(since_ns, one) for since_ns, one in polls if since_ns is not None and now_ns - since_ns >= _LONG_NS]
        if not found:
            return None
        since_ns, first = min(found)
        return self._shown.node(view.nodes[first]), now_ns - since_ns

    def _passed_over(self) -> tuple[dict[str, Any], int, str] | None:
        view, now_ns = self._shown.view, self._shown.now_ns
        found: list[tuple[int, str, str]] = []
        for node in self._movers:
            if node.wait is not None and now_ns - node.wait.since_ns >= _LONG_NS:
                by = passed_over_by(node, view.nodes, view.out)
                if by:
                    found.append((node.wait.since_ns, node.id, by))
        if not found:
            return None
        since_ns, first, by = min(found)
        return self._shown.node(view.nodes[first]), now_ns - since_ns, by

    def _unanswered(self) -> tuple[dict[str, Any], int] | None:
        view, now_ns = self._shown.view, self._shown.now_ns
        awaited = outside.awaited(self._movers, view.nodes, view.out)
        awaited |= outside.at_both_ends(self._movers, view.nodes, view.out)
        found: list[tuple[int, str]] = []
        for node in self._movers:
            own = node.wait is not None and node.state != "idle" and own_line.is_line(node.wait.source)
            since_ns = outside.since_ns(node, view.nodes, view.out, awaited) if own else None
            if since_ns is not None and now_ns - since_ns >= _LONG_NS:
                found.append((since_ns, node.id))
        if not found:
            return None
        since_ns, first = min(found)
        return self._shown.node(view.nodes[first]), now_ns - since_ns


def longest_wait(shown: Shown, nodes: Collection[Node]) -> tuple[dict[str, Any], int] | None:
    """The task or thread that has waited longest, and its age. One that sleeps only where all do: it knows its end."""
    waits = [(operation(node.wait.operation).sleeps, node.wait.since_ns, node.id) for node in nodes if node.wait]
    if not waits:
        return None
    _, since_ns, best = min(waits)
    return shown.node(shown.view.nodes[best]), max(shown.now_ns - since_ns, 0)


def longest_call(shown: Shown, nodes: Collection[Node]) -> tuple[dict[str, Any], int] | None:
    """The thread that has been longest in one call of a C function that is no wait by a name, and for how long."""
    calls = [(since_ns, node.id) for node in nodes if (since_ns := _in_call_since(node)) is not None]
    if not calls:
        return None
    since_ns, best = min(calls)
    return shown.node(shown.view.nodes[best]), max(shown.now_ns - since_ns, 0)


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
    wait = node.wait
    if wait is None or wait.deadline_ns is not None or node.state == "idle" or not own_line.is_line(wait.source):
        return False
    targets = [nodes.get(edge.dst) for edge in out.get(node.id, ()) if edge.kind is EdgeKind.NEEDS]
    if not targets:
        return operation(wait.operation).kind in _BROUGHT
    if operation(wait.operation).polls:  # somebody elsewhere may have it, or nobody any more
        return not any(e.kind is EdgeKind.HELD_BY for one in targets if one is not None for e in out.get(one.id, ()))
    return any(target is not None and _is_unknown(target, out.get(target.id, ())) for target in targets)


def passed_over_by(node: Node, nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> str:
    """Who, in words, could end its wait, in code of the program and without a deadline, and has gone on without doing
    so; empty where nobody was seen to."""
    wait = node.wait
    if wait is None or wait.deadline_ns is not None or node.state == "idle" or not own_line.is_line(wait.source):
        return ""
    things = [nodes.get(edge.dst) for edge in out.get(node.id, ()) if edge.kind is EdgeKind.NEEDS]
    if len(things) != 1 or things[0] is None or things[0].kind not in _BROUGHT:
        return ""
    about = things[0].attributes
    by = about.get(semconv.COULD_END_BY)
    return by if semconv.COULD_END_WENT_ON in about and type(by) is str else ""


def _is_unknown(thing: Node, edges: Sequence[Edge]) -> bool:
    if thing.kind not in _BROUGHT or thing.providers is Providers.CLOSED:
        return False
    return semconv.COULD_END_ASKED not in thing.attributes and not any(e.kind is EdgeKind.HELD_BY for e in edges)
