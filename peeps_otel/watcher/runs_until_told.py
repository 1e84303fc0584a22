# SPDX-License-Identifier: Apache-2.0
"""A program that runs until it is told to end: its main task or thread waits for an event, others do the work.

`stop.wait()` at the end of a script that serves: no function of the program was ever written that would set the event,
or one that a request from outside may lead to. Who tells it to end is an operator, a debugger, or what is loaded later.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from .. import semconv
from ..model import EdgeKind, Node, NodeKind
from ..probes.probe import Observation
from ..probes.runtime import listens

BY_WHOM = "whoever tells the program to end"
_MAIN_THREAD = "MainThread"
_WAITERS = (NodeKind.TASK, NodeKind.THREAD)


def runs_until_told(
    observation: Observation, thing: str, waiters: AbstractSet[str], no_code: bool, by_open_code: bool
) -> bool:
    """Whether a wait is meant to last as long as the program. `no_code`: none of the program ends it; `by_open_code`:
    some does that nobody who runs is about to call."""
    made = observation.nodes.get(thing)
    if made is None or made.kind is not NodeKind.EVENT or len(waiters) != 1 or not (no_code or by_open_code):
        return False
    (waiter,) = waiters
    node = observation.nodes.get(waiter)
    if node is None or not _is_main(observation, node) or _is_waited_for(observation, waiter):
        return False
    home = node.attributes.get(semconv.TASK_THREAD)
    if not any(one.kind in _WAITERS and one.id not in (waiter, home) for one in observation.nodes.values()):
        return False
    return no_code or listens()


def last_name(node: Node) -> str:
    """`stop` of `app.stop`; empty for what is no name."""
    last = node.name.rpartition(".")[2]
    return last if last.isidentifier() else ""


def _is_main(observation: Observation, node: Node) -> bool:
    if node.kind is NodeKind.THREAD:
        return node.name == _MAIN_THREAD
    home = node.attributes.get(semconv.TASK_THREAD)
    return all(
        one.created_at >= node.created_at
        for one in observation.nodes.values()
        if one.kind is NodeKind.TASK and one.attributes.get(semconv.TASK_THREAD) == home
    )


def _is_waited_for(observation: Observation, waiter: str) -> bool:
    edges = (edge for some in observation.edges.values() for edge in some)
    return any(edge.kind is EdgeKind.NEEDS and edge.dst == waiter for edge in edges)
