# SPDX-License-Identifier: Apache-2.0
"""Runs in the copy: who has been in the same wait for as long as we watch, where nothing is found.

A few seconds are too short for a verdict that rests on time, and too long to say that nothing is stuck of a thread that
has not moved in them, unless something is in sight that will end its wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from ..diagnosis.closure import closure
from ..diagnosis.wait_graph import WaitGraph
from ..diagnosis.wording import doing, label
from ..model import Edge, EdgeKind, Graph, Node, NodeKind, own_line
from ..model.operations import operation
from ..report.in_words import is_telemetry
from ..report.sentences import duration
from ..semconv import POLL_SINCE, TASK_THREAD

_IDLE = "idle"
_READY = "runnable"
_WAITERS = (NodeKind.TASK, NodeKind.THREAD)
_LEADS_TO_THE_END = frozenset(
    {EdgeKind.NEEDS, EdgeKind.HELD_BY, EdgeKind.HANDLED_BY, EdgeKind.RPC_LINK, EdgeKind.COULD_END}
)
_NAMED_MOST = 3
_MAIN = "MainThread"  # at its end the program waits in the standard library


def threads_that_stand(nodes: dict[str, Node], edges: Sequence[Edge], stood: Set[str]) -> list[Node]:
    """Threads with code of the program among `stood`, that have something to do, no end of their wait by time, and
    nobody who goes on at the end of what they wait for."""
    out: dict[str, list[str]] = {}
    for edge in edges:
        if edge.kind in _LEADS_TO_THE_END:
            out.setdefault(edge.src, []).append(edge.dst)
    going_on = {node.id for node in nodes.values() if node.kind in _WAITERS and _goes_on(node, stood)}

    def helped(node: Node) -> bool:
        return bool(closure([node.id], lambda one: out.get(one, ())) & going_on)

    return [node for node in nodes.values() if node.id in stood and _is_of_program(node) and not helped(node)]


def tasks_not_woken(nodes: dict[str, Node], stood: Set[str]) -> list[Node]:
    """Tasks that could go on, and whose loop has been asleep all the time: somebody has set what they wait for from
    another thread, and has not woken it."""

    def sleeps(thread: Node | None) -> bool:
        return thread is not None and thread.id in stood and thread.state == _IDLE

    tasks = [one for one in nodes.values() if one.kind is NodeKind.TASK and one.id in stood]
    return [one for one in tasks if one.state == _READY and sleeps(nodes.get(str(one.attributes.get(TASK_THREAD))))]


def asks_while_others_wait(nodes: dict[str, Node], edges: Iterable[Edge], stood: Set[str]) -> bool:
    """Whether somebody goes round one loop that only asks, and another has stood all the time."""
    asking = {one for one in stood & nodes.keys() if POLL_SINCE in nodes[one].attributes or _sleeps(nodes[one])}
    waiting = {edge.src for edge in edges if edge.kind is EdgeKind.NEEDS} & stood
    return bool(asking) and bool(waiting - asking)


def nobody_goes_on(nodes: Iterable[Node], stood: Set[str]) -> bool:
    """Whether no task and no thread of the program has moved, or will by itself, and somebody has something to do."""
    own = [one for one in nodes if one.kind in _WAITERS and one.state != _IDLE and not is_telemetry(one)]
    return bool(own) and not any(_goes_on(one, stood) for one in own)


def note(threads: Sequence[Node], graph: Graph, watched_ns: int) -> str:
    """`in the 17 s of watching these were at one place, …: MainThread waits for Event ready at app.py:3`."""
    index = WaitGraph(graph, frozenset(graph.nodes))
    told = [f"{label(node)} {doing(index, node.id)}" for node in threads[:_NAMED_MOST]]
    rest = len(threads) - len(told)
    more = f"; so have {rest:,} more" if rest else ""
    return (
        f"in the {duration(watched_ns)} of watching these were at one place, and what will end that is not in sight: "
        f"{'; '.join(told)}{more}"
    )


def note_not_woken(tasks: Sequence[Node], watched_ns: int) -> str:
    told = [label(task) for task in tasks[:_NAMED_MOST]]
    rest = len(tasks) - len(told)
    more = f" and {rest:,} more" if rest else ""
    return (
        f"in the {duration(watched_ns)} of watching {', '.join(told)}{more} could go on, but the event loop has slept: "
        "who sets something from another thread must do it by `loop.call_soon_threadsafe`"
    )


def _is_of_program(node: Node) -> bool:
    return (
        node.kind is NodeKind.THREAD
        and node.state != _IDLE
        and not _ends_by_time(node)
        and not is_telemetry(node)
        and (node.name == _MAIN or own_line.innermost(node.stack) is not None)
    )


def _goes_on(node: Node, stood: Set[str]) -> bool:
    """Whether it has moved, or will by itself."""
    return node.state != _IDLE and (node.id not in stood or _ends_by_time(node))


def _sleeps(node: Node) -> bool:
    return node.wait is not None and operation(node.wait.operation).sleeps


def _ends_by_time(node: Node) -> bool:
    wait = node.wait
    return wait is not None and (wait.deadline_ns is not None or operation(wait.operation).sleeps)
