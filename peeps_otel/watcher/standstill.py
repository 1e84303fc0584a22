# SPDX-License-Identifier: Apache-2.0
"""Nothing moves any more: no task and no thread of the program has gone on for a while, and nothing is in sight that
would make one go on.

That is no proof: somebody outside may still act. So it is a suspicion, said only where nothing better is known. What
polls does not move, where its loop does nothing but ask for what code of the program changes (`watcher.polls`).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace

from .. import semconv
from ..diagnosis import evidence, wording
from ..diagnosis.parked import is_parked
from ..diagnosis.wait_graph import WaitGraph
from ..model import EdgeKind, EvidenceStep, Finding, FindingKind, Graph, Level, Node, NodeKind, finding_id, own_line
from ..model.operations import operation
from ..probes.poll import Asks
from ..probes.probe import Observation
from ..probes.runtime import callbacks, is_foreign, listens, tells_its_callbacks, thread_of
from .assembly import Difference
from .interfaces import Waiting

_WAITERS = (NodeKind.TASK, NodeKind.THREAD)
_OUTSIDE = frozenset({NodeKind.IO, NodeKind.COMMAND, NodeKind.TIMER, NodeKind.CONNECTION, NodeKind.REQUEST})
_WATCH_PROCESSES = ("multiprocessing/pool.py", "concurrent/futures/process.py")
"""Threads of pools: the processes that they wait for may answer at any time."""
_LOOP, _SELECTS = "/asyncio/base_events.py", "/selectors.py"
_MOVES = frozenset({"running", "runnable", "gil", "blocked", "unknown"})
_SLEEPS = frozenset({"sleep", "time.sleep"})
_STEPS_MOST = 20
_NAMED_MOST = 3


class Standstill:
    """A `WatcherRule`. `difference`: what the look at hand found changed; `loops`: the event loops of the program."""

    def __init__(
        self,
        difference: Callable[[], Difference],
        loops: Callable[[], Iterable[asyncio.AbstractEventLoop]],
        after_ns: int,
    ) -> None:
        self._difference, self._loops, self._after_ns = difference, loops, after_ns
        self._since_ns = 0

    def look(self, observation: Observation, waiting: Waiting, findings: list[Finding], now_ns: int) -> list[Finding]:
        difference = self._difference()
        ended = any(_is_waiter(node) for node in difference.gone)
        if not self._since_ns or ended or any(_has_moved(before, node) for before, node in difference.changed):
            self._since_ns = now_ns
        if now_ns - self._since_ns < self._after_ns or any(one.level.stuck for one in findings):
            return []
        explained = {member for one in findings for member in (*one.core, *one.blocked)}
        if any(node is not None and _stands(node) for node in map(observation.nodes.get, explained)):
            return []
        nodes = list(observation.nodes.values())
        still = [node for node in nodes if _stands(node)]
        if not still:
            return []
        if any(self._may_go_on(node, observation) for node in nodes if _may_call_own(node)):
            return []
        if self._loops_may() or signal.getitimer(signal.ITIMER_REAL)[0] > 0 or listens():
            return []
        if all(_is_meant_to(node, observation, waiting) for node in still):
            return []
        return [_finding(observation, still, self._since_ns)]

    def _may_go_on(self, node: Node, observation: Observation) -> bool:
        """Whether something is in sight that makes it go on: a timer, somebody outside, its own turn."""
        if _turns_a_loop(node):
            return False
        wait = node.wait
        if not _asks_state(node):
            if wait is None:
                return node.state in _MOVES or any(frame.file.endswith(_WATCH_PROCESSES) for frame in node.stack)
            if node.state in _MOVES or wait.operation in _SLEEPS or wait.deadline_ns is not None:
                return True
            if operation(wait.operation).polls and not _is_for_something_held(node, observation):
                return True  # somebody elsewhere may bring it
        elif node.attributes.get(semconv.THREAD_HANDLES_SIGNALS) is True:
            return True
        edges = observation.edges.get(node.id, ())
        targets = [observation.nodes.get(edge.dst) for edge in edges if edge.kind is EdgeKind.NEEDS]
        return any(
            target is not None and (target.kind in _OUTSIDE or semconv.COULD_END_OUTSIDE in target.attributes)
            for target in targets
        )

    def _loops_may(self) -> bool:
        """Whether a loop has a callback that may come, or does not tell. A task tells of a timer that ends its wait."""
        return any(
            not tells_its_callbacks(loop) or any(not one.own_wakeup and not one.ends_wait for one in callbacks(loop))
            for loop in self._loops()
            if is_foreign(loop) or thread_of(loop) is not None  # else it calls nothing
        )


def _is_for_something_held(node: Node, observation: Observation) -> bool:
    """Whether somebody in this program has what it waits for."""
    things = [edge.dst for edge in observation.edges.get(node.id, ()) if edge.kind is EdgeKind.NEEDS]
    return any(edge.kind is EdgeKind.HELD_BY for thing in things for edge in observation.edges.get(thing, ()))


def _is_waiter(node: Node) -> bool:
    return node.kind in _WAITERS


def _is_own(node: Node) -> bool:
    """Whether it runs code of the program: a task, or a thread with an own frame."""
    if node.kind is NodeKind.TASK:
        return True
    return node.kind is NodeKind.THREAD and own_line.innermost(node.stack) is not None


def _is_meant_to(node: Node, observation: Observation, waiting: Waiting) -> bool:
    """Whether it waits to be told to end, or for work that is not there."""
    edges = [edge for edge in observation.edges.get(node.id, ()) if edge.kind is EdgeKind.NEEDS]
    return bool(edges) and all(is_parked(waiting.waits, node.id, edge.dst) for edge in edges)


def _stands(node: Node) -> bool:
    return (node.wait is not None or _asks_state(node)) and _is_own(node)


def _may_call_own(node: Node) -> bool:
    """Whether what it does next may be code of the program: also a thread that is in the standard library alone, as
    that of a `threading.Timer` before it fires."""
    return _is_waiter(node) and all(_is_own(node) or frame.library in (None, own_line.PYTHON) for frame in node.stack)


def _has_moved(before: Node | None, node: Node) -> bool:
    if not _is_waiter(node) or not _is_own(node):
        return False
    if before is not None and _asks_state(before) and _asks_state(node):
        return before.attributes[semconv.POLL_SINCE] != node.attributes[semconv.POLL_SINCE]
    if before is not None and _turns_a_loop(before) and _turns_a_loop(node):
        return False
    if before is None or before.state != node.state:
        return True
    if before.wait is None or node.wait is None:
        return before.steps != node.steps or before.wait is not node.wait
    return before.steps != node.steps or before.wait.since_ns != node.wait.since_ns


def _turns_a_loop(node: Node) -> bool:
    """Whether a thread waits for what its event loop is to do next."""
    inmost = [frame.file for frame in node.stack[-2:]]
    return node.wait is None and len(inmost) == 2 and inmost[0].endswith(_LOOP) and inmost[1].endswith(_SELECTS)


def _asks_state(node: Node) -> bool:
    return node.attributes.get(semconv.POLL_ASKS) == Asks.STATE


def _finding(observation: Observation, waiting: list[Node], since_ns: int) -> Finding:
    """About what the wait nearest to the beginning of the program comes to."""
    edges = [edge for node in waiting for edge in observation.edges.get(node.id, ())]
    graph = WaitGraph(Graph(observation.nodes, edges), frozenset())
    first = min(waiting, key=lambda n: (n.name != "MainThread", bool(graph.waiters.get(n.id)), n.created_at, n.id))
    path = _to_the_end(graph, first)
    last = path[-1]
    target = next((one for one in graph.targets.get(last.id, ()) if one in graph.nodes), None)
    said, source = _said(graph, last, target)
    title = f"nothing moves any more: {wording.label(first)} "
    title += f"leads to {wording.label(last)}, which {said}" if last is not first else said
    title += wording.at("at", source)
    others = [node for node in waiting if node not in path]
    if others:
        names = wording.several(
            [wording.label(node) for node in sorted(others, key=lambda n: n.created_at)], _NAMED_MOST
        )
        title += f"; {names} {'waits' if len(others) == 1 else 'wait'} too"
    return Finding(
        id=finding_id(FindingKind.NOTHING_MOVES, [last.id]),
        kind=FindingKind.NOTHING_MOVES,
        level=Level.SUSPECT,
        title=title,
        since_ns=since_ns,
        core=[node.id for node in path],
        blocked=[node.id for node in others],
        evidence=[_step(graph, node) for node in path],
        advice="Somebody outside could still act, but no timer, socket, signal or running code is in sight that would",
        look_at=_line_nearest(path, source),
    )


def _line_nearest(path: list[Node], source: str) -> str:
    """Of the last on the way that waits in code of the program: what that has called may wait in a library."""
    places = (node.wait.source for node in reversed(path) if node.wait is not None)
    return next((line for place in (source, *places) if (line := own_line.line_of(place))), "")


def _said(graph: WaitGraph, last: Node, target: str | None) -> tuple[str, str]:
    """What it is in, and where."""
    if _asks_state(last) and target is None:
        at = last.attributes.get(semconv.POLL_AT)
        return "asks again and again", at if type(at) is str else last.source
    wait = graph.wait_of(last.id)
    return f"waits in {wait.operation}" if target is None else wording.waits_for(graph, last.id, target), wait.source


def _to_the_end(graph: WaitGraph, first: Node) -> list[Node]:
    path = [first]
    while len(path) < _STEPS_MOST:
        onward = [graph.nodes.get(one) for one in graph.targets.get(path[-1].id, ())]
        following = next((one for one in onward if one is not None and _is_waiter(one) and _stands(one)), None)
        if following is None or following in path:
            return path
        path.append(following)
    return path


def _step(graph: WaitGraph, node: Node) -> EvidenceStep:
    target = next((one for one in graph.targets.get(node.id, ()) if one in graph.nodes), None)
    if target is not None:
        return evidence.link(graph, node.id, target, None)
    said, source = _said(graph, node, target)
    text = f"{wording.label(node)} {said}{wording.at('at', source)}"
    since_ns = node.attributes.get(semconv.POLL_SINCE)
    step = evidence.link(graph, node.id, node.id, None)
    return replace(step, text=text, wait_source=source, since_ns=since_ns if type(since_ns) is int else step.since_ns)
