# SPDX-License-Identifier: Apache-2.0
"""Every private name of AnyIO that the probes rely on, on its asyncio backend.

Never imports AnyIO: it is seen only once the program has imported it. Everything is a read of stored attributes, as in
`asyncio_core`.
"""

from __future__ import annotations

import asyncio
import math
import sys
import threading
from asyncio import locks
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple, cast

from . import asyncio_core as asyncio_internals
from . import versions
from .asyncio_io import field

CHECKED_ON = versions.on("AnyIO")

BACKEND = "anyio._backends._asyncio"
_PRIMITIVES = "anyio._core._synchronization"
_STREAMS = "anyio.streams.memory"
_LOW_LEVEL = "anyio.lowlevel"
_SCOPES_MOST = 100
_SCOPES_OF_ALL_MOST = 10_000


class Types(NamedTuple):
    """AnyIO's types, as the program has them."""

    lock: type[Any]
    semaphore: type[Any]
    limiter: type[Any]
    event: type[Any]
    condition: type[Any]
    channel: type[Any]
    sender: type[Any]
    receiver: type[Any]
    group: type[Any]
    scope: type[Any]
    socket: type[Any]
    backend: type[Any]


def is_imported() -> bool:
    """Whether the program has imported AnyIO's asyncio backend, and is done with it."""
    backend, primitives, streams = (sys.modules.get(name) for name in (BACKEND, _PRIMITIVES, _STREAMS))
    # The last statement of the backend's module; a memory stream that nobody has imported nobody can wait for.
    return backend is not None and primitives is not None and streams is not None and hasattr(backend, "backend_class")


def types() -> Types:
    """Once it is imported. Raises AttributeError for an AnyIO that lacks one of the names."""
    backend, primitives, streams = (sys.modules[name] for name in (BACKEND, _PRIMITIVES, _STREAMS))
    return Types(
        lock=_type(backend, "Lock"),
        semaphore=_type(backend, "Semaphore"),
        limiter=_type(backend, "CapacityLimiter"),
        event=_type(backend, "Event"),
        condition=_type(primitives, "Condition"),
        channel=_type(streams, "_MemoryObjectStreamState"),
        sender=_type(streams, "MemoryObjectSendStream"),
        receiver=_type(streams, "MemoryObjectReceiveStream"),
        group=_type(backend, "TaskGroup"),
        scope=_type(backend, "CancelScope"),
        socket=_type(backend, "SocketStream"),
        backend=_type(backend, "AsyncIOBackend"),
    )


def _type(module: ModuleType, name: str) -> type[Any]:
    found: object = vars(module).get(name)
    if not isinstance(found, type):
        raise AttributeError(f"{module.__name__}.{name}")
    return cast("type[Any]", found)


def adapters() -> tuple[type[Any], ...]:
    """What stands for a primitive that was made before there was a loop."""
    primitives = vars(sys.modules[_PRIMITIVES])
    names = ("LockAdapter", "SemaphoreAdapter", "CapacityLimiterAdapter")
    return tuple(cast("type[Any]", primitives[name]) for name in names if isinstance(primitives.get(name), type))


def own_lock(manager: object, known: Types) -> object | None:
    """The lock, semaphore or limiter that being inside `async with manager` holds. One that was made before there was
    a loop leads to the one that it became."""
    for name in ("_internal_lock", "_internal_semaphore", "_internal_limiter"):
        inner: object = field(manager, name) if type(manager).__module__ == _PRIMITIVES else None
        if inner is not None:
            return own_lock(inner, known)
    if issubclass(type(manager), known.condition):
        lock: object = field(manager, "_lock")
        return None if lock is None or lock is manager else own_lock(lock, known)
    return manager if issubclass(type(manager), (known.lock, known.semaphore, known.limiter)) else None


def lock_owner(lock: object) -> asyncio.Task[Any] | None:
    owner: object = field(lock, "_owner_task")
    return cast("asyncio.Task[Any]", owner) if issubclass(type(owner), asyncio.Task) else None


def waiting(primitive: object) -> int:
    """How many wait for a lock, semaphore, condition or limiter."""
    for name in ("_waiters", "_wait_queue"):
        waiters: Any = field(primitive, name)
        if waiters is not None:
            return len(waiters)
    return 0


def permits(semaphore: object) -> tuple[int | None, int | None]:
    """Permits left, and the most there can be."""
    whole = asyncio_internals.whole
    return whole(field(semaphore, "_value")), whole(field(semaphore, "_max_value"))


def tokens(limiter: object) -> tuple[int | None, list[object]]:
    """The total of a capacity limiter, None where it is not bounded; who has borrowed."""
    borrowers: object = field(limiter, "_borrowers")
    found = list(cast("set[object]", borrowers)) if type(borrowers) is set else []
    return asyncio_internals.whole(field(limiter, "_total_tokens")), found


def is_default_limiter(limiter: object) -> bool:
    """Whether it is a loop's limiter of the threads of `to_thread.run_sync`, where no other is given."""
    module = sys.modules.get(_LOW_LEVEL)
    by_loop: object = field(None if module is None else vars(module).get("_run_vars"), "data")
    for values in list(cast("dict[object, object]", by_loop).values()) if type(by_loop) is dict else ():
        for variable, value in list(cast("dict[object, object]", values).items()) if type(values) is dict else ():
            if value is limiter and field(variable, "_name") == "_default_thread_limiter":
                return True
    return False


def event_of(event: object) -> locks.Event | None:
    """asyncio's event within AnyIO's."""
    inner: object = field(event, "_event")
    return cast("locks.Event", inner) if issubclass(type(inner), locks.Event) else None


def channel_of(end: object) -> object | None:
    """What the ends of a memory object stream and their clones share."""
    return field(end, "_state")


def channel_state(channel: object) -> tuple[int, int | None, int, int]:
    """Length, capacity (None: unbounded; 0: handed from task to task), waiting senders, waiting receivers."""
    capacity: object = field(channel, "max_buffer_size")
    return (
        len(field(channel, "buffer") or ()),
        None if capacity == math.inf else asyncio_internals.whole(capacity),
        len(field(channel, "waiting_senders") or ()),
        len(field(channel, "waiting_receivers") or ()),
    )


def group_tasks(group: object) -> list[asyncio.Task[Any]]:
    """The unfinished children of a task group."""
    children: object = field(group, "_tasks")
    found = list(cast("set[asyncio.Task[Any]]", children)) if type(children) is set else []
    return [task for task in found if not task.done()]


def worker_ident(thread: threading.Thread) -> int | None:
    ident: object = field(thread, "_ident")
    return ident if type(ident) is int else None


def scope_deadline(task: asyncio.Task[Any]) -> tuple[float | None, bool]:
    """The loop time at which the first of the cancel scopes around a task's code ends it, those of the task groups
    above it included; and whether one of them has been cancelled. A shielded scope keeps out those around it."""
    earliest = math.inf
    for scope in _scopes(task):
        if field(scope, "_cancel_called") is True:
            return None if earliest == math.inf else earliest, True
        deadline: object = field(scope, "_deadline")
        if type(deadline) in (int, float):
            earliest = min(earliest, cast("float", deadline))
        if field(scope, "_shield") is True:
            break
    return None if earliest == math.inf else earliest, False


def is_cancelled(task: asyncio.Task[Any]) -> bool:
    """Whether one of the scopes around a task's code has been cancelled, be it outside of a shield."""
    return any(field(scope, "_cancel_called") is True for scope in _scopes(task))


def _scopes(task: asyncio.Task[Any]) -> Iterator[object]:
    """The cancel scopes around a task's code, innermost first."""
    backend = sys.modules.get(BACKEND)
    states: Any = None if backend is None else vars(backend).get("_task_states")
    if states is None or type(task).__hash__ is not object.__hash__:
        return
    scope: object = field(states.get(task), "cancel_scope")
    for _ in range(_SCOPES_MOST):
        if scope is None:
            return
        yield scope
        scope = field(scope, "_parent_scope")


# --- for the leak proof: a name that is not there counts as a timer that is armed -------------------------------------


def is_armed(scope: object) -> bool:
    """Whether a timer will cancel a scope of AnyIO."""
    try:
        return object.__getattribute__(scope, "_timeout_handle") is not None
    except AttributeError:
        return True


def tasks_of(manager: object) -> list[asyncio.Task[Any]]:
    """The tasks that cancelling a scope or task group of AnyIO cancels, those of inner scopes included, shielded ones
    too: a shield may come off. Nothing for any other object."""
    kind = _named("CancelScope")
    if kind is None:
        return []
    found: list[asyncio.Task[Any]] = []
    work: list[object] = [field(manager, "cancel_scope") if type(manager) is _named("TaskGroup") else manager]
    seen: set[int] = set()
    while work and len(seen) < _SCOPES_OF_ALL_MOST:
        scope = work.pop()
        if type(scope) is not kind or id(scope) in seen:
            continue
        seen.add(id(scope))
        members: object = field(scope, "_tasks")
        if type(members) is set:
            found += cast("set[asyncio.Task[Any]]", members.copy())
        inner: object = field(scope, "_child_scopes")
        if type(inner) is set:
            work += cast("set[object]", inner.copy())
    return found


def _named(name: str) -> Any:
    backend = sys.modules.get(BACKEND)
    return None if backend is None else vars(backend).get(name)
