# SPDX-License-Identifier: Apache-2.0
"""Where asyncio's locks, semaphores, conditions, events and queues keep their state. As in `asyncio_core`, each read is
atomic under the GIL and runs no code of the watched program.
"""

from __future__ import annotations

import asyncio
import collections
from asyncio import locks, queues
from collections.abc import Callable, Iterable
from typing import Any, cast

from . import versions
from .asyncio_core import whole
from .stdlib import QueueState

CHECKED_ON = versions.on("CPython", "CPython, partly")


def lock_state(lock: locks.Lock) -> tuple[bool, int]:
    """Locked, and how many wait."""
    return getattr(lock, "_locked", False) is True, _count(getattr(lock, "_waiters", None))


def semaphore_state(semaphore: locks.Semaphore) -> tuple[int | None, int, int | None]:
    """Permits left, how many wait, and the bound of a BoundedSemaphore. None where it is no plain whole number."""
    return (
        whole(getattr(semaphore, "_value", None)),
        _count(getattr(semaphore, "_waiters", None)),
        whole(getattr(semaphore, "_bound_value", None)),
    )


def event_is_set(event: locks.Event) -> bool:
    return getattr(event, "_value", False) is True


def held_by_manager(manager: object) -> locks.Lock | locks.Semaphore | None:
    """The lock or semaphore that being inside `async with manager` holds."""
    if issubclass(type(manager), locks.Condition):
        return condition_lock(cast("locks.Condition", manager))
    if issubclass(type(manager), (locks.Lock, locks.Semaphore)):
        return cast("locks.Lock | locks.Semaphore", manager)
    return None


def condition_lock(condition: locks.Condition) -> locks.Lock | None:
    lock = getattr(condition, "_lock", None)
    return lock if isinstance(lock, locks.Lock) else None


def queue_state(queue: queues.Queue[Any]) -> QueueState:
    items: object = getattr(queue, "_queue", None)
    return QueueState(
        len(cast("list[Any]", items)) if type(items) in _CONTAINERS else None,
        whole(getattr(queue, "_maxsize", None)) or 0,
        _count(getattr(queue, "_putters", ())),
        _count(getattr(queue, "_getters", ())),
        whole(getattr(queue, "_unfinished_tasks", None)) or 0,
    )


_DONE: Callable[[Any], bool] = cast("Any", asyncio.Future).done
_CONTAINERS = (collections.deque, list, dict, set, collections.OrderedDict)


def waiter_count(primitive: object) -> int:
    return _count(getattr(primitive, "_waiters", ()))


def _count(waiters: Iterable[Any] | None) -> int:
    if waiters is None:
        return 0
    try:
        copy = list(waiters)
        try:
            return len(copy) - sum(map(_DONE, copy))  # an event may have thousands
        except TypeError:  # futures of another type
            return sum(1 for waiter in copy if not waiter.done())
    except (RuntimeError, AttributeError):  # changed while it was copied, or not futures
        return 0
