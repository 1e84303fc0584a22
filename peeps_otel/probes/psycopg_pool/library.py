# SPDX-License-Identifier: Apache-2.0
"""psycopg's pools, for threads and for tasks. A connection that is lent knows its pool, a cursor its connection."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from types import MethodType
from typing import Any, cast

from ...model.operations import operation
from ..internals import versions
from ..library import Lent, PoolHandle, PoolState, PoolType, Support, TaskWait, ThreadWait, attribute, code_of

_BASE, _SYNC, _ASYNC = "psycopg_pool.base", "psycopg_pool.pool", "psycopg_pool.pool_async"
_CONNECTIONS, _CURSORS = "psycopg._connection_base", "psycopg._cursor_base"
_ACQUIRE = operation("pool.acquire")
_GET = "_getconn_unchecked"


class PsycopgPool:
    """A `Library`. The package imports all of its modules at once."""

    name = "psycopg_pool"
    distribution = "psycopg-pool"
    checked = versions.PSYCOPG_POOL

    def is_imported(self) -> bool:
        wanted = ((_BASE, "BasePool"), (_SYNC, "ConnectionPool"), (_ASYNC, "AsyncConnectionPool"))
        return all(name in vars(sys.modules.get(module, sys)) for module, name in wanted)

    def support(self) -> Support:
        base, asynchronous = vars(sys.modules[_BASE])["BasePool"], vars(sys.modules[_ASYNC])["AsyncConnectionPool"]
        return Support(
            pools=(PoolType(base, "", _read),),
            pool_handles=tuple(_handles()),
            task_waits=(TaskWait(code_of(asynchronous, _GET), _ACQUIRE, finds=asynchronous),),
            thread_waits=(ThreadWait(_SYNC, f"ConnectionPool.{_GET}", _ACQUIRE, finds="self"),),
        )


def _read(pool: Any) -> PoolState:
    """Its number of connections counts those that are still to be made, as while it opens and while its server does
    not answer: then how many are in use is not told. One that grows makes one at a time."""
    name, most, made = attribute(pool, "name"), attribute(pool, "_max_size"), attribute(pool, "_nconns")
    idle, waiting = attribute(pool, "_pool"), attribute(pool, "_waiting")
    in_use: int | None = None
    if type(made) is int and type(idle) is deque and not _is_to_make_more(pool):
        growing = attribute(pool, "_growing") is True
        in_use = max(0, made - len(cast("deque[object]", idle)) - growing)
    bounded = type(most) is int and most > 0
    return PoolState(
        capacity=most if bounded else None,
        in_use=in_use,
        waiters=len(cast("deque[object]", waiting)) if type(waiting) is deque else None,
        name=name if type(name) is str else "",
        unbounded=most == 0,
    )


def _is_to_make_more(pool: object) -> bool:
    """Whether a connection is still to be made, or will be tried again, other than the one by which it grows."""
    tasks = attribute(pool, "_tasks")
    queued = attribute(tasks, "queue") or attribute(tasks, "_queue")  # for threads, for tasks
    tries = attribute(attribute(pool, "_sched"), "_queue")
    found: list[object] = list(cast("deque[object]", queued)) if type(queued) is deque else []
    for one in list(cast("list[object]", tries)) if type(tries) is list else ():
        action = attribute(one, "action")
        found.append(action.__self__ if type(action) is MethodType else None)
    adds = vars(sys.modules[_SYNC])["AddConnection"], vars(sys.modules[_ASYNC])["AddConnection"]
    return any(type(one) in adds and attribute(one, "growing") is not True for one in found)


def _handles() -> Iterable[PoolHandle]:
    for module, name, lent in (
        (_CONNECTIONS, "BaseConnection", _of_connection),
        (_CURSORS, "BaseCursor", _of_cursor),
    ):
        kind = vars(sys.modules.get(module, sys)).get(name)
        if isinstance(kind, type):
            yield PoolHandle(kind, lent)


def _of_connection(connection: object) -> Iterable[Lent]:
    pool = attribute(connection, "_pool")  # None once it was given back
    return () if pool is None else (Lent(connection, pool),)


def _of_cursor(cursor: object) -> Iterable[Lent]:
    connection = attribute(cursor, "_conn")
    return () if connection is None else _of_connection(connection)


PSYCOPG_POOL = PsycopgPool()
