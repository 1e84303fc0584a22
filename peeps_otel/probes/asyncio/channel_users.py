# SPDX-License-Identifier: Apache-2.0
"""Who has a full channel in his hands: those who could make room in it.

Read only while somebody has been waiting to put for a while, for it looks at every task's variables.
"""

from __future__ import annotations

from collections.abc import Callable
from gc import get_referents, is_tracked
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, cast
from weakref import ref

from ...model import Confidence, Edge, EdgeKind
from ..internals.await_chain import SuspendedFrame, chain
from ..probe import Yield

_TASKS_MOST = 5000
_HANDS_MOST = 200
_YIELD_EVERY = 20
_NOT_HANDS = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType, str, int, bytes)


def touches(
    full: dict[int, str],
    tasks: list[ref[Any]],
    id_of: Callable[[Any], str | None],
    pause: Yield,
    coroutine_of: Callable[[Any], Any] = lambda task: task.get_coro(),
) -> dict[str, tuple[Edge, ...]]:
    """The `touches` edges by task: a channel is in a local, a closure, or an attribute of one of those. `full`: the
    `tx` nodes by the address of the channel. `tasks`: asyncio's, or those of which `coroutine_of` tells."""
    touched: dict[str, tuple[Edge, ...]] = {}
    for number, reference in enumerate(tasks[:_TASKS_MOST]):
        if number % _YIELD_EVERY == 0:
            pause()
        task = reference()
        task_id = None if task is None else id_of(task)
        if task is None or task_id is None:
            continue
        found = {full[address] for link in chain(coroutine_of(task)) for address in _in_hands(link) if address in full}
        if found:
            touched[task_id] = tuple(
                Edge(EdgeKind.TOUCHES, task_id, tx, confidence=Confidence.INFERRED) for tx in sorted(found)
            )
    return touched


def _in_hands(link: SuspendedFrame) -> set[int]:
    """Addresses of what a suspended function can reach directly, or by one step through an object or a closure."""
    found: set[int] = set()
    for referent in link.referents:
        found.add(id(referent))
        if type(referent) in _NOT_HANDS or not is_tracked(referent):
            continue
        for inner in get_referents(referent)[:_HANDS_MOST]:
            found.add(id(inner))
            if type(inner) is dict and not issubclass(type(referent), dict):
                found.update(id(value) for value in list(cast("dict[Any, Any]", inner).values())[:_HANDS_MOST])
    return found
