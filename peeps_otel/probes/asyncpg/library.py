# SPDX-License-Identifier: Apache-2.0
"""asyncpg's pool. What it lends are the holders of its connections; the program has a proxy, which knows its holder.

A pool takes no weak reference, so the queue of its free holders stands for it: made with the pool, never replaced,
and full when nothing is lent.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Iterable
from typing import Any, cast

from ...model.operations import operation
from ..identity import Identities
from ..internals import versions
from ..internals.await_chain import SuspendedFrame
from ..library import (
    Lent,
    PoolHandle,
    PoolState,
    PoolType,
    Support,
    TaskWait,
    Waiting,
    attribute,
    code_of,
    count_waiting,
    first_of,
    timer_within,
)
from ..open_transactions import TRANSACTIONS, asks, beside, is_asked, lent, locks, may_wait, reads

_POOLS, _CONNECTIONS = "asyncpg.pool", "asyncpg.connection"
_ACQUIRE = operation("pool.acquire")
_GIVEN_BACK = operation("pool.close")
_SOCKET = operation("socket")
_TAKING = "Queue.get"
_STATEMENTS = ("execute", "_execute", "_do_execute", "executemany", "_executemany")
_STATEMENTS_MODULE = "asyncpg.prepared_stmt"
_DATABASE = "database"
_PREPARED = "_PreparedStatement__do_execute"


class Asyncpg:
    """A `Library`."""

    name = "asyncpg"
    distribution = "asyncpg"
    checked = versions.ASYNCPG

    def is_imported(self) -> bool:
        if "PreparedStatement" not in vars(sys.modules.get(_STATEMENTS_MODULE, sys)):
            return False
        return "PoolAcquireContext" in vars(sys.modules.get(_POOLS, sys)) and "Connection" in vars(
            sys.modules.get(_CONNECTIONS, sys)
        )

    def support(self) -> Support:
        pools, connections = vars(sys.modules[_POOLS]), vars(sys.modules[_CONNECTIONS])
        try:
            pool, proxy, context = pools["Pool"], pools["PoolConnectionProxy"], pools["PoolAcquireContext"]
            holder = pools["PoolConnectionHolder"]
        except KeyError as error:
            raise AttributeError(f"{_POOLS}.{error.args[0]}") from None

        def find(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
            """Not where it has one already and connects it."""
            if links[-1].code.co_qualname != _TAKING:
                return None
            queue = attribute(first_of(link, pool), "_queue")
            if queue is None:
                return None
            queues.put(queue, True)
            return Waiting(_ACQUIRE, (queue,), deadline=timer_within(links, link))

        prepared: type[Any] = vars(sys.modules[_STATEMENTS_MODULE])["PreparedStatement"]
        connection: type[Any] = connections["Connection"]

        def find_statement(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
            """By the transport of its connection, as any wait for a peer."""
            return _of_statement(first_of(link, connection), may_wait(links), links, link, future)

        def find_prepared(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
            statement = first_of(link, prepared)
            text = attribute(statement, "_query")
            return _of_statement(attribute(statement, "_connection"), locks(text), links, link, future)

        queues: Identities[bool] = Identities()
        as_pool = PoolType(asyncio.Queue, "asyncpg.Pool", _read).as_resource_type()
        reads(connection, transaction_of)
        return Support(
            resource_types=(TRANSACTIONS,),
            resource_type_for=lambda thing: as_pool if queues.get(thing) else None,
            pools=(PoolType(holder, "asyncpg.Connection", _read_one),),
            pool_handles=(
                PoolHandle(proxy, _of_proxy),
                PoolHandle(connections["Connection"], _of_connection),
                PoolHandle(context, _of_context),
            ),
            task_waits=(
                TaskWait(code_of(pool, "_acquire"), _ACQUIRE, find=find),
                *(TaskWait(code_of(connection, name), _SOCKET, find=find_statement) for name in _STATEMENTS),
                TaskWait(code_of(prepared, _PREPARED), _SOCKET, find=find_prepared),
                TaskWait(code_of(holder, "wait_until_released"), _GIVEN_BACK, finds=holder),
            ),
        )


def _read(queue: Any) -> PoolState:
    """What is not in it is taken."""
    most, items, getters = (attribute(queue, name) for name in ("_maxsize", "_queue", "_getters"))
    capacity = most if type(most) is int else None
    left = len(cast("list[object]", items)) if type(items) in (list, deque) else None
    return PoolState(
        capacity,
        None if capacity is None or left is None else max(0, capacity - left),
        waiters=count_waiting(getters),
    )


def _read_one(holder: Any) -> PoolState:
    """Of one connection, until whose return a pool that is to be closed waits."""
    return PoolState(1, 0 if attribute(holder, "_in_use") is None else 1)


def _of_statement(
    connection: Any, may_lock: bool, links: list[SuspendedFrame], link: SuspendedFrame, future: Any
) -> Waiting | None:
    transport = attribute(connection, "_transport")
    if transport is None:
        return None
    asks(connection, future)
    found = beside(_database_of(connection)) if may_lock else None
    return Waiting(_SOCKET, (transport,), deadline=timer_within(links, link), beside=found)


def transaction_of(connection: Any) -> Iterable[Lent]:
    """Of a connection of asyncpg: its open transaction."""
    transaction = attribute(connection, "_top_xact")
    return () if transaction is None else lent(_database_of(connection), transaction, connection, _is_idle)


def _is_idle(connection: Any) -> bool:
    return attribute(connection, "_top_xact") is not None and not is_asked(connection)


def _database_of(connection: Any) -> str:
    address, params = attribute(connection, "_addr"), attribute(connection, "_params")
    name: object = attribute(params, _DATABASE)
    fields: Any = vars(cast("type[object]", type(params))).get("_fields")
    if type(fields) is tuple and issubclass(type(params), tuple) and _DATABASE in fields:  # of a named tuple
        name = list(cast("tuple[object, ...]", params))[cast("tuple[str, ...]", fields).index(_DATABASE)]
    at = ":".join(str(one) for one in cast("tuple[object, ...]", address)) if type(address) is tuple else str(address)
    return f"{at}/{name}"


def _of_connection(connection: object) -> Iterable[Lent]:
    yield from _of_proxy(attribute(connection, "_proxy"))
    yield from transaction_of(connection)


def _of_context(context: object) -> Iterable[Lent]:
    return _of_proxy(attribute(context, "connection"))


def _of_proxy(proxy: object) -> Iterable[Lent]:
    if proxy is None or attribute(proxy, "_con") is None:
        return ()  # given back
    holder = attribute(proxy, "_holder")
    connection, queue = attribute(holder, "_con"), attribute(attribute(holder, "_pool"), "_queue")
    if holder is None or queue is None:
        return ()
    lent_holder = Lent(holder, queue)
    if connection is None:
        return (lent_holder,)
    return (lent_holder, Lent(connection, holder), *transaction_of(connection))


ASYNCPG = Asyncpg()
