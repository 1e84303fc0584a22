# SPDX-License-Identifier: Apache-2.0
"""What there is to say where nothing is found: the longest wait, the longest call, for how long nobody has gone on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .. import semconv
from ..diagnosis.wait_index import WHOEVER_CALLS
from ..model import Edge, EdgeKind, Node, Providers, Wait, own_line
from ..model.operations import operation
from . import outside
from .movers import BROUGHT, POLLED, Movers, counted, in_call_since, is_mover, polls_since
from .sentences import Calm
from .shown import Shown

_LONG_NS = 15_000_000_000
_RING_MOST = 50
_ENDS = frozenset({EdgeKind.COULD_END, EdgeKind.HELD_BY})


class Waits:
    """What the sentence for calm is made of. `nodes`: those it is about; `known`: what there is to count of them, where
    that is known already."""

    def __init__(self, shown: Shown, nodes: Collection[Node], known: Movers | None = None) -> None:
        self._shown = shown
        self._nodes = nodes
        self._movers = known or counted(nodes, shown.view.out)
        self.tasks, self.waiting = self._movers.tasks, self._movers.waiting
        longest = self._movers.longest
        self.longest = None if longest is None else _told(shown, *longest)

    def calm(self, not_answered: int = 0) -> Calm:
        """`not_answered`: how many processes have not."""
        doubts = _Doubts(self._shown, self._nodes, self._movers.doubtful)
        still_ns = self._movers.still_since_ns
        return Calm(
            self.tasks,
            self.longest,
            doubts.longest_call(),
            max(self._shown.now_ns - still_ns, 0) if still_ns else 0,
            not_answered,
            doubts.unjudged(),
            doubts.unanswered(),
            doubts.passed_over(),
            doubts.only_if_called(),
        )


class _Doubts:
    """What nobody is known to end, and the longest call."""

    def __init__(self, shown: Shown, nodes: Collection[Node], doubtful: Sequence[Node]) -> None:
        self._shown = shown
        self._nodes = nodes
        self._unjudged: list[tuple[int, str]] = []
        self._passed_over: list[tuple[int, str, str]] = []
        self._called: list[tuple[int, str, str]] = []
        self._outside: list[Node] = []
        self._call: tuple[int, str] | None = None
        self._since_most = shown.now_ns - _LONG_NS
        view = shown.view
        for node in doubtful:
            if node.attributes:
                self._note_attributes(node)
            wait = _own_wait(node)
            if wait is not None:
                self._note_wait(node, wait, _targets(node, view.nodes, view.out))

    def _note_attributes(self, node: Node) -> None:
        polled_ns, called_ns = polls_since(node), in_call_since(node)
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
            if by := in_a_ring_but_for(node, self._shown.view.nodes, self._shown.view.out):
                self._called.append((wait.since_ns, node.id, by))
        if any(target is not None and target.kind in outside.KINDS for target in targets):
            self._outside.append(node)

    def unjudged(self) -> tuple[dict[str, Any], int] | None:
        return _told(self._shown, *min(self._unjudged)) if self._unjudged else None

    def passed_over(self) -> tuple[dict[str, Any], int, str] | None:
        if not self._passed_over:
            return None
        since_ns, first, by = min(self._passed_over)
        return *_told(self._shown, since_ns, first), by

    def only_if_called(self) -> tuple[dict[str, Any], int, str] | None:
        if not self._called:
            return None
        since_ns, first, by = min(self._called)
        return *_told(self._shown, since_ns, first), by

    def unanswered(self) -> tuple[dict[str, Any], int] | None:
        view, now_ns = self._shown.view, self._shown.now_ns
        if not self._outside:
            return None
        movers = [node for node in self._nodes if is_mover(node)]
        awaited = outside.awaited(movers, view.nodes, view.out)
        awaited |= outside.at_both_ends(movers, view.nodes, view.out)
        awaited |= outside.of_itself(self._outside, view.nodes, view.out)
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


def is_unjudged(node: Node, nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> bool:
    """Whether it waits, in code of the program and without a deadline, for what somebody must bring, and neither is it
    known who has that nor was the heap asked who could."""
    wait = _own_wait(node)
    return wait is not None and _is_any_unknown(wait, _targets(node, nodes, out), out)


def passed_over_by(node: Node, nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> str:
    """Who, in words, could end its wait, in code of the program and without a deadline, and has gone on without doing
    so; empty where nobody was seen to."""
    return "" if _own_wait(node) is None else _went_on(_targets(node, nodes, out))


def in_a_ring_but_for(node: Node, nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> str:
    """Which function could end its wait, if somebody called it, where all of this program that could do so wait
    without a deadline for what, in the end, only those could bring who wait for it; empty where that is not so."""
    target = next(iter(_targets(node, nodes, out)), None)
    said = None if target is None else target.attributes.get(semconv.COULD_END_OUTSIDE)
    if type(said) is not str or not said.startswith(WHOEVER_CALLS):
        return ""
    work, seen = [node.id], set[str]()
    while work:
        one = nodes.get(work.pop())
        if one is None or _own_wait(one) is None or len(seen) > _RING_MOST:
            return ""
        for thing in _targets(one, nodes, out):
            if thing is None or (thing is not target and semconv.COULD_END_OUTSIDE in thing.attributes):
                return ""
            able = [edge.dst for edge in out.get(thing.id, ()) if edge.kind in _ENDS and edge.dst != one.id]
            if not able:
                return ""
            work += [other for other in able if other not in seen]
            seen.update(able)
    return said.removeprefix(WHOEVER_CALLS) if node.id in seen else ""


def _own_wait(node: Node) -> Wait | None:
    wait = node.wait
    if wait is None or wait.deadline_ns is not None or node.state == "idle" or not own_line.is_line(wait.source):
        return None
    return wait


def _targets(node: Node, nodes: Mapping[str, Node], out: Mapping[str, Sequence[Edge]]) -> list[Node | None]:
    return [nodes.get(edge.dst) for edge in out.get(node.id, ()) if edge.kind is EdgeKind.NEEDS]


def _is_any_unknown(wait: Wait, targets: Sequence[Node | None], out: Mapping[str, Sequence[Edge]]) -> bool:
    if wait.operation in POLLED:  # somebody elsewhere may have it, or nobody any more
        return not any(e.kind is EdgeKind.HELD_BY for one in targets if one is not None for e in out.get(one.id, ()))
    if not targets:
        return operation(wait.operation).kind in BROUGHT
    return any(target is not None and _is_unknown(target, out.get(target.id, ())) for target in targets)


def _went_on(targets: Sequence[Node | None]) -> str:
    target = targets[0] if len(targets) == 1 else None
    if target is None or target.kind not in BROUGHT:
        return ""
    by = target.attributes.get(semconv.COULD_END_BY)
    return by if semconv.COULD_END_WENT_ON in target.attributes and type(by) is str else ""


def _is_unknown(thing: Node, edges: Sequence[Edge]) -> bool:
    if thing.kind not in BROUGHT or thing.providers is Providers.CLOSED:
        return False
    return semconv.COULD_END_ASKED not in thing.attributes and not any(e.kind is EdgeKind.HELD_BY for e in edges)
