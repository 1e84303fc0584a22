# SPDX-License-Identifier: Apache-2.0
"""The private names of Tornado: what its locks, events and queues consist of, and whose a future is that they gave.

Each read is atomic under the GIL and runs no code of the program.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Iterator
from gc import get_referents
from types import CellType, FunctionType
from typing import Any, NamedTuple, cast
from weakref import ref

from . import versions
from .asyncio_core import timer_deadline, whole
from .stdlib import QueueState, attribute

CHECKED_ON = versions.on("tornado")
LOCKS, QUEUES = "tornado.locks", "tornado.queues"
_NAMES = {"Lock", "Semaphore", "BoundedSemaphore", "Event", "Condition", "_ReleasingContextManager"}
_TIMER = "timeout_handle"
_LARGE = 64


class Locks(NamedTuple):
    """`releasing`: the manager that an `acquire()` gives."""

    lock: type[Any]
    semaphore: type[Any]
    bounded: type[Any]
    event: type[Any]
    condition: type[Any]
    releasing: type[Any]


class Timer(NamedTuple):
    """By which a wait ends. `is_known`: False where there may be one whose time cannot be told."""

    deadline: float | None
    is_known: bool


def has_locks() -> bool:
    return vars(sys.modules.get(LOCKS, sys)).keys() >= _NAMES


def has_queues() -> bool:
    return has_locks() and "LifoQueue" in vars(sys.modules.get(QUEUES, sys))


def locks() -> Locks:
    module = sys.modules[LOCKS]
    return Locks(
        module.Lock,
        module.Semaphore,
        module.BoundedSemaphore,
        module.Event,
        module.Condition,
        vars(module)["_ReleasingContextManager"],
    )


def queue_type() -> type[Any]:
    return sys.modules[QUEUES].Queue


def block_of(lock: object) -> object | None:
    """The semaphore that a lock consists of."""
    return attribute(lock, "_block")


def released_by(manager: object) -> object | None:
    """What leaving the block of a manager releases; of a lock, the semaphore that it consists of."""
    return attribute(manager, "_obj")


def permits(semaphore: object) -> tuple[int | None, int | None]:
    """Permits left, and the most there may be; None: any number."""
    return whole(attribute(semaphore, "_value")), whole(attribute(semaphore, "_initial_value"))


def is_set(event: object) -> bool:
    return attribute(event, "_value") is True


def waiting(primitive: object) -> int | None:
    """How many wait for a lock's semaphore, an event or a condition."""
    return _count(_futures(attribute(primitive, "_waiters")))


def queue_state(queue: object) -> QueueState:
    items: object = attribute(queue, "_queue")
    return QueueState(
        len(cast("list[Any]", items)) if type(items) in (deque, list) else None,
        whole(attribute(queue, "_maxsize")),
        _count(_futures(attribute(queue, "_putters"))),
        _count(_futures(attribute(queue, "_getters"))),
        whole(attribute(queue, "_unfinished_tasks")),
    )


def gave(primitive: object, future: object) -> bool:
    """Whether who waits for this future waits for this semaphore, event or condition."""
    return _last_large.has(attribute(primitive, "_waiters"), future)


def end_that_gave(queue: object, future: object) -> str | None:
    """Which method of a queue gave a future to wait for; None: none did."""
    for method, side in (("get", "_getters"), ("put", "_putters")):
        if _last_large.has(attribute(queue, side), future):
            return method
    return "join" if gave(attribute(queue, "_finished"), future) else None


class _LastLarge:
    """Of the queue of waiters that was looked through last, if it is a large one, whose turns it has: each of thousands
    of tasks is asked about. What is still awaited has not left it. For the watcher thread only."""

    def __init__(self) -> None:
        self._queue: ref[Any] | None = None
        self._futures: dict[int, ref[Any]] = {}

    def has(self, waiters: object, future: object) -> bool:
        """Whether a future is among them."""
        if type(waiters) not in (deque, set):
            return False
        if len(cast("set[object]", waiters)) <= _LARGE:
            return any(one is future for one in _futures(waiters) or ())
        if self._queue is None or self._queue() is not waiters or not self._knows(future):
            self._queue = ref(cast("set[object]", waiters))
            known = [one for one in _futures(waiters) or () if issubclass(type(one), asyncio.Future)]
            self._futures = {id(one): ref(one) for one in known}
        return self._knows(future)

    def _knows(self, future: object) -> bool:
        known = self._futures.get(id(future))
        return known is not None and known() is future


_last_large = _LastLarge()


def _futures(waiters: object) -> list[object] | None:
    """None for what is no queue of Tornado's own. Of one who puts there is the item, too."""
    if type(waiters) not in (deque, set):
        return None
    found: list[object] = []
    for one in list(cast("set[object]", waiters)):
        pair = cast("tuple[object, ...]", one) if type(one) is tuple else (one,)
        found.append(pair[-1])
    return found


def _count(futures: list[object] | None) -> int | None:
    """Those who gave up are still there."""
    if futures is None:
        return None
    return sum(_is_pending(one) for one in futures)


def _is_pending(future: object) -> bool:
    return issubclass(type(future), asyncio.Future) and not cast("asyncio.Future[Any]", future).done()


def behind(future: object) -> Iterator[object]:
    """A future, and the one that it stands for: an event's wait with a timeout gives one of its own."""
    yield future
    module = vars(sys.modules[LOCKS])
    for callback in _callbacks(future):
        if callback.__globals__ is module:
            yield from (one for one in _cells(callback) if issubclass(type(one), asyncio.Future))


def timer_of(future: object) -> Timer:
    """What Tornado will end a wait by, which it takes back once that has ended."""
    found: list[float] = []
    is_known = True
    for callback in _callbacks(future):
        if _TIMER in callback.__code__.co_freevars:
            deadlines = [when for one in _cells(callback) if (when := timer_deadline(one)) is not None]
            found += deadlines
            is_known = is_known and bool(deadlines)
    return Timer(min(found, default=None), is_known)


def _callbacks(future: object) -> list[FunctionType]:
    if not issubclass(type(future), asyncio.Future):
        return []
    entries: list[object] = list(attribute(future, "_callbacks") or ())
    found = [cast("tuple[object, ...]", one)[0] for one in entries if type(one) is tuple and one]
    return [one for one in found if type(one) is FunctionType]


def _cells(callback: FunctionType) -> list[object]:
    return [content for cell in callback.__closure__ or () if type(cell) is CellType for content in get_referents(cell)]
