# SPDX-License-Identifier: Apache-2.0
"""Whether anybody goes on unaided among those who wait and those who could end their waits."""

from __future__ import annotations

from collections.abc import Sequence

from ... import semconv
from ...model import Node, NodeKind
from ...model.operations import operation
from ..wait_index import WHOEVER_CALLS
from ..wait_links import IDLE
from .context import RuleContext

_DEEP_MOST = 200
_BROUGHT = frozenset({NodeKind.EVENT, NodeKind.CONDITION, NodeKind.BARRIER, NodeKind.FUTURE, NodeKind.RX})
"""What code of this program brings; the heap knows whose."""
_HAD = frozenset({NodeKind.LOCK, NodeKind.SEMAPHORE, NodeKind.TASK, NodeKind.THREAD})
"""What somebody who is known has, or is."""


def is_judged(context: RuleContext, waiters: Sequence[str]) -> bool:
    """Whether it is known who has what they wait for, or the heap was asked."""
    graph = context.graph
    things = (graph.nodes[thing] for one in waiters for thing in graph.targets.get(one, ()) if thing in graph.nodes)
    return all(thing.kind in _HAD or semconv.COULD_END_ASKED in thing.attributes for thing in things)


def somebody_goes_on(context: RuleContext, waiters: Sequence[str], calls: bool) -> bool:
    """Whether one of them, or of those who could end their waits, and so on, runs, sleeps, gives up by a deadline,
    waits for somebody outside, or for what is not known. `calls`: whether a function that somebody may call counts
    as somebody outside."""
    graph = context.graph
    work, seen = list(waiters), set(waiters)
    while work:
        one = work.pop()
        node = graph.nodes.get(one)
        if node is None or _goes_on(context, node):
            return True
        for thing in graph.targets[one]:
            able = _who_could(context, thing, calls)
            if able is None:
                return True
            work += [other for other in able if other not in seen]
            seen.update(able)
        if len(seen) > _DEEP_MOST:
            return True
    return False


def _goes_on(context: RuleContext, node: Node) -> bool:
    graph, wait = context.graph, node.wait
    if wait is None or node.state == IDLE or node.id not in graph.settled or not graph.targets.get(node.id):
        return True
    return node.id in graph.bounded or wait.deadline_ns is not None or operation(wait.operation).sleeps


def _who_could(context: RuleContext, thing_id: str, calls: bool) -> list[str] | None:
    """Who in this program could end a wait for it; None where somebody outside could, or it is not known."""
    graph = context.graph
    thing = graph.nodes.get(thing_id)
    if thing is None or thing.kind not in _BROUGHT | _HAD or _is_ended_outside(thing, calls):
        return None
    if thing.kind in (NodeKind.TASK, NodeKind.THREAD):
        return [thing_id]
    able = [*graph.holders.get(thing_id, ()), *graph.enders.get(thing_id, ())]
    return able if able or thing.kind in _BROUGHT else None


def _is_ended_outside(thing: Node, calls: bool) -> bool:
    outside = thing.attributes.get(semconv.COULD_END_OUTSIDE)
    return outside is not None and (calls or not str(outside).startswith(WHOEVER_CALLS))
