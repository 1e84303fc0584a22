# SPDX-License-Identifier: Apache-2.0
"""A program that is to run until it is told to end: its main task or thread waits for what nobody was ever to end.

`await asyncio.Future()  # run forever`, `threading.Event().wait()`: the thing is made where it is waited for, it has no
name, and nobody else was given it. What others have lost had a name, or was somebody else's too.

So do workers that take one item after another and have nothing to do, though nobody may be left who brings any: as long
as nobody waits for them, or for what they would bring, they keep nobody from anything.
"""

from __future__ import annotations

import math
import re

from .. import semconv
from ..model import Node, NodeKind
from .wait_index import WaitIndex

_FOREVER = frozenset({NodeKind.EVENT, NodeKind.FUTURE})
_MAIN_THREAD = "MainThread"
_NUMBER = re.compile(r"\bTask-(\d+)\)?$")


def is_parked(graph: WaitIndex, waiter: str, thing: str) -> bool:
    """Whether a wait that nobody can end is meant to be one."""
    node, made = graph.nodes.get(waiter), graph.nodes.get(thing)
    if node is None or made is None:
        return False
    if made.kind is NodeKind.RX and made.attributes.get(semconv.COULD_END_CONSUMED) is True:
        return _is_left_alone(graph, thing)
    if made.kind not in _FOREVER or node.wait is None or made.source != node.wait.source:
        return False
    if made.name if made.kind is NodeKind.EVENT else node.attributes.get(semconv.TASK_WAITS_UNNAMED) is not True:
        return False  # a variable refers to it
    if graph.waiters.get(waiter) or set(graph.waiters.get(thing, ())) != {waiter}:
        return False  # somebody waits for its end, or for the same thing
    others = (graph.holders, graph.users, graph.enders, graph.reached)
    if any(set(one.get(thing, ())) - {waiter} for one in others):
        return False
    return _is_main(graph, node)


def _is_left_alone(graph: WaitIndex, queue: str) -> bool:
    """Whether nobody waits for any of those who wait for items of it, nor for anything that one of them has or could
    end, and none is the main task or thread."""
    idle = set(graph.waiters.get(queue, ()))
    if any(graph.waiters.get(one) for one in idle) or graph.dead.get(queue):
        return False
    for one in idle:
        if any(thing != queue and graph.waiters.get(thing) for thing in (*graph.held_of(one), *graph.may_end(one))):
            return False
    return not any(_is_main(graph, node) for one in idle if (node := graph.nodes.get(one)) is not None)


def _is_main(graph: WaitIndex, node: Node) -> bool:
    """Of a thread: whether it is the main one. Of a task: whether its loop was started for it: the oldest of the tasks
    that are there."""
    if node.kind is NodeKind.THREAD:
        return node.name == _MAIN_THREAD
    home = graph.thread_of(node.id)
    tasks = () if home is None else graph.tasks_of(home)
    return bool(tasks) and all(_age(graph.nodes[one]) >= _age(node) for one in tasks if one in graph.nodes)


def _age(task: Node) -> tuple[int, float]:
    """The older one has less. Where nobody knows when tasks were made, as in a process that was attached to, all began
    at once: the number that asyncio gives tells, and who has a name of his own was not started with the loop."""
    number = _NUMBER.search(task.name)
    return task.created_at, float(number[1]) if number is not None else math.inf
