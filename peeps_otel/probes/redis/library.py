# SPDX-License-Identifier: Apache-2.0
"""redis-py's blocking pools, for threads and for tasks. Its connections do not know their pool: that tells which of
them are taken."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from gc import get_referents
from types import SimpleNamespace
from typing import Any, cast

from ...model.operations import operation
from ..internals import versions
from ..internals.await_chain import SuspendedFrame
from ..internals.frame_memory import local_of
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
    first_of,
    timer_within,
)
from ..named_locks import LOCKS, NAMED_LOCK, POLL, NamedLock

_SYNC, _ASYNC = "redis.connection", "redis.asyncio.connection"
_LOCK, _ASYNC_LOCK = "redis.lock", "redis.asyncio.lock"
_CLIENTS = ("redis.client", "redis.asyncio.client")
_CLIENT_NAMES = ("Redis", "PubSub", "Pipeline")
_POOL, _GET = "BlockingConnectionPool", "get_connection"
_ACQUIRE = operation("pool.acquire")
_OWN_HOST = ("", "localhost", "::1")
_WAITING = ("Condition.wait", "Condition.wait_for")


class Redis:
    """A `Library`. The package imports all of its modules at once, those for asyncio too."""

    name = "redis"
    distribution = "redis"
    checked = versions.REDIS

    def is_imported(self) -> bool:
        return (
            all("Lock" in vars(sys.modules.get(module, sys)) for module in (_LOCK, _ASYNC_LOCK))
            and all(_POOL in vars(sys.modules.get(module, sys)) for module in (_SYNC, _ASYNC))
            and all("Pipeline" in vars(sys.modules.get(module, sys)) for module in _CLIENTS)
        )

    def support(self) -> Support:
        lock = vars(sys.modules[_ASYNC_LOCK])["Lock"]
        threaded, asynchronous = vars(sys.modules[_SYNC])[_POOL], vars(sys.modules[_ASYNC])[_POOL]

        def find(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
            """Not where it has one already and connects it."""
            if links[-1].code.co_qualname not in _WAITING:
                return None
            found = first_of(link, asynchronous)
            return None if found is None else Waiting(_ACQUIRE, (found,), deadline=timer_within(links, link))

        return Support(
            pools=(PoolType(threaded, "", _read_threaded), PoolType(asynchronous, "", _read_asynchronous)),
            pool_handles=tuple(_handles()),
            task_waits=(
                TaskWait(code_of(asynchronous, _GET), _ACQUIRE, find=find),
                TaskWait(code_of(lock, "acquire"), POLL, find=_wanted),
            ),
            thread_waits=(
                ThreadWait(_SYNC, f"{_POOL}.{_GET}", _ACQUIRE, finds="self"),
                ThreadWait(
                    _LOCK,
                    "Lock.acquire",
                    POLL,
                    finds="self",
                    seconds_left=_seconds_left,
                    seconds_left_of="stop_trying_at",
                    call="token",
                ),
            ),
            resource_types=(NAMED_LOCK,),
            managers=(lock,),
            thread_managers=(vars(sys.modules[_LOCK])["Lock"],),
            held_by_manager=_named,
        )


def _named(lock: Any) -> object | None:
    """The lock in the database: one for all objects by which it is taken."""
    name, settings = attribute(lock, "name"), _settings(attribute(lock, "redis"))
    if settings is None or type(name) not in (str, bytes):
        return None
    where = tuple(str(settings.get(key, "")) for key in ("host", "port", "path", "db"))
    text = name if type(name) is str else cast("bytes", name).decode(errors="replace")
    ends = "" if attribute(lock, "timeout") is None else "its time to live"
    on_host = bool(settings.get("path")) or where[0] in _OWN_HOST or where[0].startswith("127.")
    return LOCKS.of(("redis", *where, text), text, "redis.lock.Lock", ends, on_host)


def _wanted(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
    """Of a task that tries to take one."""
    lock = first_of(link, vars(sys.modules[_ASYNC_LOCK])["Lock"])
    found = _named(lock)
    if type(found) is NamedLock and _is_taken(lock):
        found.shared = True
    until = local_of(link.frame, "stop_trying_at")
    return Waiting(POLL, () if found is None else (found,), deadline=until if type(until) is float else None)


def _by_lock(lock: Any) -> Iterable[Lent]:
    """Of an object by which a lock was taken, in a block or by `acquire()`."""
    found = _named(lock) if _is_taken(lock) else None
    return () if found is None else (Lent(lock, found, "acquire"),)


def _is_taken(lock: Any) -> bool:
    """By its token. A `threading.local` shows the values of all threads to the garbage collector alone."""
    local = attribute(lock, "local")
    if type(local) is SimpleNamespace:
        return attribute(local, "token") is not None
    for values in get_referents(local) if type(local) is threading.local else ():
        some = cast("dict[object, object]", values).values() if type(values) is dict else ()
        if any(type(one) is dict and cast("dict[str, object]", one).get("token") is not None for one in list(some)):
            return True
    return False


def _settings(client: object) -> dict[str, object] | None:
    """How a client connects."""
    pool = attribute(client, "connection_pool")
    for name in ("_connection_kwargs", "connection_kwargs"):  # since 8.0 the latter is a property
        found = attribute(pool, name)
        if type(found) is dict:
            return cast("dict[str, object]", found)
    return None


def _seconds_left(until: object) -> float | None:
    return until - time.monotonic() if type(until) is float else None


def _read_threaded(pool: Any) -> PoolState:
    """What was made and is not in its queue is taken; what was not made yet is in the queue as None."""
    queue, made, most = attribute(pool, "pool"), attribute(pool, "_connections"), attribute(pool, "max_connections")
    items, waiters = attribute(queue, "queue"), attribute(attribute(queue, "not_empty"), "_waiters")
    if type(items) not in (deque, list) or type(made) is not list or type(most) is not int:
        return PoolState(None, None)
    left = list(cast("Iterable[object]", items))
    idle = {id(one) for one in left}
    return PoolState(
        most,
        max(0, most - len(left)),
        waiters=len(cast("deque[object]", waiters)) if type(waiters) is deque else None,
        lent=tuple(one for one in list(cast("list[object]", made)) if id(one) not in idle),
    )


def _read_asynchronous(pool: Any) -> PoolState:
    taken, most = attribute(pool, "_in_use_connections"), attribute(pool, "max_connections")
    waiters = attribute(attribute(pool, "_condition"), "_waiters")
    if type(taken) is not set or type(most) is not int:
        return PoolState(None, None)
    lent = tuple(cast("set[object]", taken))
    return PoolState(most, len(lent), waiters=count_waiting(waiters), lent=lent)


def _handles() -> Iterable[PoolHandle]:
    for module in (_LOCK, _ASYNC_LOCK):
        yield PoolHandle(vars(sys.modules[module])["Lock"], _by_lock)
    for module in (_SYNC, _ASYNC):
        kind = vars(sys.modules[module]).get("AbstractConnection")
        if isinstance(kind, type):
            yield PoolHandle(kind, _itself)
    for module in _CLIENTS:
        for name in _CLIENT_NAMES:
            kind = vars(sys.modules[module]).get(name)
            if isinstance(kind, type):
                yield PoolHandle(kind, _of_client)


def _itself(connection: object) -> Iterable[Lent]:
    return (Lent(connection),)


def _of_client(client: object) -> Iterable[Lent]:
    """One that keeps a connection: a pipeline that watches, a subscription."""
    connection = attribute(client, "connection")
    return () if connection is None else (Lent(connection),)


REDIS = Redis()
