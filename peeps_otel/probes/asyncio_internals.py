# SPDX-License-Identifier: Apache-2.0
"""Every private name of asyncio that the probes rely on. Checked on CPython 3.11.7, 3.12.1 and 3.13.0, and uvloop 0.23.

Nothing in here takes a lock, calls a coroutine or runs code of the watched program. All of it may be called from any
thread while loops run: each read is one bytecode or one C call, atomic under the GIL; the picture it gives may be torn
between reads, which is why a verdict takes two looks.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import sys
from asyncio import base_events, locks, queues, runners, streams, taskgroups, tasks, timeouts
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FunctionType
from typing import Any, NamedTuple, cast

from ..model import NodeKind

CHECKED_VERSIONS = ((3, 11), (3, 12), (3, 13))


class Operation(NamedTuple):
    """What a suspended coroutine of asyncio does. `finds`: the type of the local that is waited for."""

    name: str
    kind: NodeKind | None
    finds: type[Any] | None


def operations() -> list[tuple[CodeType, Operation]]:
    """The code objects of asyncio's own coroutines, as they are now. Names that this Python lacks are left out."""
    lock, semaphore = Operation("lock.acquire", NodeKind.LOCK, locks.Lock), _SEMAPHORE
    known: list[tuple[object, str, Operation]] = [
        (locks.Lock, "acquire", lock),
        (locks.Lock, "__aenter__", lock),
        (locks.Semaphore, "acquire", semaphore),
        (locks.Semaphore, "__aenter__", semaphore),
        (locks.Event, "wait", Operation("event.wait", NodeKind.EVENT, locks.Event)),
        (locks.Condition, "wait", Operation("condition.wait", NodeKind.CONDITION, locks.Condition)),
        (queues.Queue, "get", Operation("queue.get", NodeKind.RX, queues.Queue)),
        (queues.Queue, "put", Operation("queue.put", NodeKind.TX, queues.Queue)),
        (tasks, "sleep", Operation("sleep", None, None)),
        (tasks, "_wait", Operation("wait", None, None)),
        (tasks, "wait_for", Operation("wait_for", None, None)),
        (taskgroups.TaskGroup, "__aexit__", Operation("taskgroup", None, taskgroups.TaskGroup)),
        (taskgroups.TaskGroup, "_aexit", Operation("taskgroup", None, taskgroups.TaskGroup)),
        (streams.StreamReader, "_wait_for_data", Operation("stream.read", NodeKind.IO, None)),
        (streams.FlowControlMixin, "_drain_helper", Operation("stream.drain", NodeKind.IO, None)),
    ]
    known += [
        (owner, name, Operation(f"socket.{name.removeprefix('sock_')}", NodeKind.IO, None))
        for owner in (_selector_loop(),)
        for name in ("sock_recv", "sock_recv_into", "sock_sendall", "sock_accept", "sock_connect")
    ]
    return [(code, operation) for owner, name, operation in known if (code := _code(owner, name)) is not None]


def outer_operations() -> list[tuple[CodeType, Operation]]:
    """Coroutines that wait by means of another primitive and are what a person would name."""
    known: list[tuple[object, str, Operation]] = [
        (queues.Queue, "join", Operation("queue.join", NodeKind.RX, queues.Queue)),
        (locks.Barrier, "_wait", Operation("barrier.wait", NodeKind.BARRIER, locks.Barrier)),
        (locks.Barrier, "_block", Operation("barrier.wait", NodeKind.BARRIER, locks.Barrier)),
    ]
    return [(code, operation) for owner, name, operation in known if (code := _code(owner, name)) is not None]


_SEMAPHORE = Operation("semaphore.acquire", NodeKind.SEMAPHORE, locks.Semaphore)


def _selector_loop() -> object:
    from asyncio import selector_events

    return selector_events.BaseSelectorEventLoop


def _code(owner: object, name: str) -> CodeType | None:
    """The code of a function that `owner` itself defines: an inherited one belongs to somebody else too."""
    function = vars(owner).get(name)
    return getattr(function, "__code__", None)


def live_tasks() -> list[asyncio.Task[Any]]:
    """Every task that is not done, of every loop and thread.

    `asyncio.all_tasks` iterates a WeakSet in Python and raises, or retries a thousand times, while other threads create
    tasks; one copy of the underlying set is atomic.
    """
    found: list[asyncio.Task[Any]] = []
    references = getattr(tasks, "_scheduled_tasks", None)  # 3.12, 3.13
    if references is None:
        references = getattr(tasks, "_all_tasks", None)  # 3.11
    data = cast("set[Callable[[], asyncio.Task[Any] | None]] | None", getattr(references, "data", None))
    if data is not None:
        found += [task for reference in list(data) if (task := reference()) is not None]
    eager = cast("set[asyncio.Task[Any]] | None", getattr(tasks, "_eager_tasks", None))
    if eager:
        found += list(eager)
    return [task for task in found if not task.done()]


def running_task(loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any] | None:
    """The task that `loop` is executing at this moment."""
    return asyncio.current_task(loop)


def awaited_future(task: asyncio.Task[Any]) -> asyncio.Future[Any] | None:
    """The future a suspended task waits for; None: it is running, or ready to run.

    While it is the same object, the task has not made a step.
    """
    future: asyncio.Future[Any] | None = getattr(task, "_fut_waiter", None)
    if issubclass(type(future), asyncio.Future) and cast("asyncio.Future[Any]", future).done():
        return None  # woken, and only the loop has not come to it yet
    return future


def gathered(future: object) -> list[asyncio.Future[Any]] | None:
    """The children of `asyncio.gather`."""
    if not issubclass(type(future), asyncio.Future):
        return None  # not asyncio's: reading an attribute may run code of the program
    children: object = getattr(future, "_children", None)
    return list(cast("list[asyncio.Future[Any]]", children)) if type(children) is list else None


def linked_futures(future: object) -> list[object]:
    """Futures that will resolve `future`, found in the closures of its callbacks (`shield`, `run_in_executor`)."""
    found: list[object] = []
    if not issubclass(type(future), asyncio.Future):
        return found
    for callback, _ in cast("list[tuple[object, object]]", list(getattr(future, "_callbacks", None) or ())):
        if type(callback) is not FunctionType:
            continue
        for cell in callback.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:
                continue
            if content is not future and issubclass(type(content), (asyncio.Future, concurrent.futures.Future)):
                found.append(content)
    return found


def group_tasks(group: object) -> list[asyncio.Task[Any]]:
    """The unfinished children of a TaskGroup."""
    return [task for task in list(getattr(group, "_tasks", ())) if not task.done()]


def timer_deadline(handle: object) -> float | None:
    """The loop time at which a timer fires, of asyncio's and uvloop's handles alike; None: no timer, or cancelled."""
    if not type(handle).__name__.endswith("TimerHandle"):
        return None
    try:
        return None if handle.cancelled() else handle.when()  # type: ignore[attr-defined]  # pyright: ignore
    except Exception:
        return None


def loop_of(task: asyncio.Task[Any]) -> asyncio.AbstractEventLoop:
    return task.get_loop()


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


def whole(number: object) -> int | None:
    """A number that fits into an attribute: programs also write `Semaphore(math.inf)` and `Queue(10**30)`."""
    return number if type(number) is int and -(1 << 63) <= number < 1 << 63 else None


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


def queue_state(queue: queues.Queue[Any]) -> tuple[int | None, int, int, int, int]:
    """Length (None: kept in a type of the program's own), capacity (0: unbounded), waiting putters, waiting getters,
    unfinished."""
    items: object = getattr(queue, "_queue", None)
    return (
        len(cast("list[Any]", items)) if type(items) in _CONTAINERS else None,
        whole(getattr(queue, "_maxsize", None)) or 0,
        _count(getattr(queue, "_putters", ())),
        _count(getattr(queue, "_getters", ())),
        whole(getattr(queue, "_unfinished_tasks", None)) or 0,
    )


_CONTAINERS = (collections.deque, list, dict, set, collections.OrderedDict)


def waiter_count(primitive: object) -> int:
    return _count(getattr(primitive, "_waiters", ()))


def _count(waiters: Iterable[Any] | None) -> int:
    if waiters is None:
        return 0
    try:
        return sum(1 for waiter in list(waiters) if not waiter.done())
    except (RuntimeError, AttributeError):  # changed while it was copied, or not futures
        return 0


INTERNAL_GLOBALS = frozenset(id(vars(m)) for m in (base_events, locks, queues, runners, taskgroups, tasks, timeouts))
"""Identities of the globals of modules whose frames stand between a caller and what he asked for."""

CREATING_GLOBALS: tuple[Mapping[str, Any], ...] = (vars(tasks), vars(taskgroups), vars(runners))
"""Globals of the modules that create tasks on behalf of a caller."""


def current_task_reader() -> Callable[[asyncio.AbstractEventLoop], Any]:
    """The fastest way to the task a loop is running. Before 3.12 `current_task` is written in Python and asks for the
    running loop; the table behind it is a plain dictionary."""
    table = cast("dict[object, Any] | None", getattr(tasks, "_current_tasks", None))
    return table.get if sys.version_info < (3, 12) and table is not None else asyncio.current_task


VERSION_CHECKED = sys.version_info[:2] in CHECKED_VERSIONS and sys.implementation.name == "cpython"
