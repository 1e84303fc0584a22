# SPDX-License-Identifier: Apache-2.0
"""A program that is to run until it is told to end: its main task or thread waits for what nobody was ever to end.

`await asyncio.Future()  # run forever`, `threading.Event().wait()`: the thing is made where it is waited for, it has no
name, and nobody else was given it. What others have lost had a name, or was somebody else's too.
"""

from __future__ import annotations

from .. import semconv
from ..model import Node, NodeKind
from .wait_index import WaitIndex

_FOREVER = frozenset({NodeKind.EVENT, NodeKind.FUTURE})
_MAIN_THREAD = "MainThread"


def is_parked(graph: WaitIndex, waiter: str, thing: str) -> bool:
    """Whether a wait that nobody can end is meant to be one."""
    node, made = graph.nodes[waiter], graph.nodes[thing]
    if made.kind not in _FOREVER or node.wait is None or made.source != node.wait.source:
        return False
    if made.name if made.kind is NodeKind.EVENT else node.attributes.get(semconv.TASK_WAITS_UNNAMED) is not True:
        return False  # a variable refers to it
    if graph.waiters.get(waiter) or set(graph.waiters.get(thing, ())) != {waiter}:
        return False  # somebody waits for its end, or for the same thing
    others = (graph.holders, graph.users, graph.enders, graph.reached)
    if any(set(one.get(thing, ())) - {waiter} for one in others):
        return False
    return node.name == _MAIN_THREAD if node.kind is NodeKind.THREAD else _is_main(graph, node)


def _is_main(graph: WaitIndex, task: Node) -> bool:
    """Whether its loop was started for it: the oldest of the tasks that are there."""
    home = graph.thread_of(task.id)
    tasks = () if home is None else graph.tasks_of(home)
    return bool(tasks) and all(graph.nodes[one].created_at >= task.created_at for one in tasks if one in graph.nodes)
