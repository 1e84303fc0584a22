# SPDX-License-Identifier: Apache-2.0
"""psycopg's pools, for threads and for tasks. A connection that is lent knows its pool, a cursor its connection."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
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
    """Of the connections that it has, also those that are being made: one that grows is one at a time."""
    name, most, made = attribute(pool, "name"), attribute(pool, "_max_size"), attribute(pool, "_nconns")
    idle, waiting = attribute(pool, "_pool"), attribute(pool, "_waiting")
    in_use: int | None = None
    if type(made) is int and type(idle) is deque:
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
