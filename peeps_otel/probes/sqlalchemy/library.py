# SPDX-License-Identifier: Apache-2.0
"""SQLAlchemy's `QueuePool`, and the same under asyncio, whose waits are inside greenlets.

A connection in hand is a `Connection`, a session with a transaction, or their asyncio forms; each leads to the record
that its pool has lent.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable
from itertools import repeat
from types import CodeType, FrameType, ModuleType
from typing import Any, cast

from ...model.operations import operation
from .. import open_transactions
from ..internals import versions
from ..internals.await_chain import SuspendedFrame
from ..internals.frame_memory import FrameReader
from ..library import (
    Lent,
    PoolHandle,
    PoolState,
    PoolType,
    Support,
    TaskWait,
    ThreadWait,
    Waiting,
    attribute,
    code_of,
    count_waiting,
    timer_within,
)

_POOLS, _BASE, _QUEUES = "sqlalchemy.pool.impl", "sqlalchemy.pool.base", "sqlalchemy.util.queue"
_ENGINE, _ORM = "sqlalchemy.engine.base", "sqlalchemy.orm.session"
_ASYNC_ENGINE, _ASYNC_ORM = "sqlalchemy.ext.asyncio.engine", "sqlalchemy.ext.asyncio.session"
_GREENLETS = ("sqlalchemy.util.concurrency", "sqlalchemy.util._concurrency_py3k")  # since 2.1, before
_ACQUIRE = operation("pool.acquire")
_FRAMES_MOST = 40
_NESTED_MOST = 5


class SQLAlchemy:
    """A `Library`: the pools, and how one waits for them. What leads to their connections are libraries of their own,
    for a program may import them much later."""

    name = "SQLAlchemy"
    distribution = "SQLAlchemy"
    checked = versions.SQLALCHEMY

    def is_imported(self) -> bool:
        """Once all of a statement like `from sqlalchemy.ext.asyncio import ...` is done."""
        wanted = ((_POOLS, "QueuePool"), (_BASE, "_ConnectionFairy"), (_ENGINE, "Connection"))
        return all(_class(module, name) is not None for module, name in wanted)

    def support(self) -> Support:
        pool = vars(sys.modules[_POOLS])["QueuePool"]
        get = code_of(pool, "_do_get")
        return Support(
            pools=(PoolType(pool, "", _read_pool),),
            pool_handles=(
                PoolHandle(vars(sys.modules[_BASE])["_ConnectionFairy"], _of_fairy),
                PoolHandle(vars(sys.modules[_ENGINE])["Connection"], _of_connection),
            ),
            task_waits=tuple(_task_waits(get)),
            thread_waits=(ThreadWait(_POOLS, "QueuePool._do_get", _ACQUIRE, finds="self"),),
            thread_modules=(_QUEUES,),
        )


def _class(module: str, name: str) -> type[Any] | None:
    loaded = sys.modules.get(module)
    found: object = None if loaded is None else vars(loaded).get(name)
    return found if isinstance(found, type) else None


def _read_pool(pool: Any) -> PoolState:
    """Without the queue's lock: its counts may be of two moments, a look apart from each other at most."""
    queue = attribute(pool, "_pool")
    size, overflow, most = attribute(queue, "maxsize"), attribute(pool, "_overflow"), attribute(pool, "_max_overflow")
    idle, waiters = _in_queue(queue)
    name = attribute(pool, "logging_name")
    called = name if type(name) is str else ""
    if type(size) is not int or type(overflow) is not int or type(most) is not int or idle is None:
        return PoolState(None, None, waiters=waiters, name=called)
    return PoolState(
        capacity=None if most < 0 else size + most,
        in_use=max(0, size + overflow - idle),
        waiters=waiters,
        name=called,
        unbounded=most < 0,
    )


def _in_queue(queue: object) -> tuple[int | None, int | None]:
    """How many connections are in the pool, and how many wait for one."""
    if _is_async(queue):
        inner = attribute(queue, "_queue")
        if inner is None:
            return 0, 0  # made when it is first used
        items, getters = attribute(inner, "_queue"), attribute(inner, "_getters")
        return _length(items), count_waiting(getters) or 0
    waiters = attribute(attribute(queue, "not_empty"), "_waiters")
    return _length(attribute(queue, "queue")), _length(waiters)


def _is_async(queue: object) -> bool:
    kind = _class(_QUEUES, "AsyncAdaptedQueue")
    return kind is not None and issubclass(type(queue), kind)


def _length(items: object) -> int | None:
    return len(cast("deque[object]", items)) if type(items) in (deque, list) else None


# --- what is in hand --------------------------------------------------------------------------------------------------


def _of_fairy(fairy: object) -> Iterable[Lent]:
    record, pool = attribute(fairy, "_connection_record"), attribute(fairy, "_pool")
    if record is None or pool is None:
        return
    yield Lent(record, pool)
    adapted = attribute(fairy, "dbapi_connection")
    for driven in (adapted, attribute(adapted, "_connection")):  # the latter is behind one for asyncio
        yield from open_transactions.of_connection(driven)


def _of_connection(connection: object) -> Iterable[Lent]:
    return _of_fairy(attribute(connection, "_dbapi_connection"))


def _of_session(session: object) -> Iterable[Lent]:
    transaction = attribute(session, "_transaction")
    for _ in range(_NESTED_MOST):
        if transaction is None:
            return
        entries = attribute(transaction, "_connections")
        for entry in list(cast("dict[object, object]", entries).values()) if type(entries) is dict else ():
            if type(entry) is tuple and entry:
                yield from _of_connection(cast("tuple[object, ...]", entry)[0])
        transaction = attribute(transaction, "_parent")


def _of_async_connection(connection: object) -> Iterable[Lent]:
    return _of_connection(attribute(connection, "sync_connection"))


def _of_async_session(session: object) -> Iterable[Lent]:
    return _of_session(attribute(session, "sync_session"))


# --- waits inside greenlets -------------------------------------------------------------------------------------------


def _task_waits(get: CodeType) -> Iterable[TaskWait]:
    """A coroutine runs SQLAlchemy in a greenlet and awaits in its stead."""

    def find(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
        greenlet = _class("greenlet", "greenlet")
        context = None if greenlet is None else next((r for r in link.referents if issubclass(type(r), greenlet)), None)
        pool = None if context is None else _pool_in(_frame_of(greenlet, context), get)
        return None if pool is None else Waiting(_ACQUIRE, (pool,), deadline=timer_within(links, link))

    for name in _GREENLETS:
        module = sys.modules.get(name)
        if type(module) is ModuleType and "greenlet_spawn" in vars(module):
            yield TaskWait(code_of(module, "greenlet_spawn"), _ACQUIRE, find=find)
            return


def _frame_of(greenlet: Any, context: object) -> FrameType | None:
    """The innermost frame of a greenlet that has given up control."""
    frame: Any = cast("Any", vars(greenlet)["gr_frame"]).__get__(context)
    return frame if type(frame) is FrameType else None


def _pool_in(frame: FrameType | None, get: CodeType) -> object:
    """The pool in whose `_do_get` it is, if it is. It stays there while this thread has the GIL."""
    for _ in range(_FRAMES_MOST):
        if frame is None:
            return None
        if frame.f_code is get:
            return FrameReader(frame, repeat(0), 0).local_named("self")
        frame = frame.f_back
    return None


class _Handle:
    """A `Library`: one class by which the program uses a connection."""

    distribution = ""  # the pools say whether the version is known
    checked = ()

    def __init__(self, module: str, name: str, lent: Callable[[object], Iterable[Lent]]) -> None:
        self.name = f"SQLAlchemy {name}"
        self._of, self._lent = (module, name), lent

    def is_imported(self) -> bool:
        return _class(*self._of) is not None

    def support(self) -> Support:
        kind = _class(*self._of)
        if kind is None:
            raise AttributeError(self.name)
        return Support(pool_handles=(PoolHandle(kind, self._lent),))


SQLALCHEMY = (
    SQLAlchemy(),
    _Handle(_ORM, "Session", _of_session),
    _Handle(_ASYNC_ENGINE, "AsyncConnection", _of_async_connection),
    _Handle(_ASYNC_ORM, "AsyncSession", _of_async_session),
)
