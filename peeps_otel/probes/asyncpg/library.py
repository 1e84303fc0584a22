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

_POOLS, _CONNECTIONS = "asyncpg.pool", "asyncpg.connection"
_ACQUIRE = operation("pool.acquire")
_GIVEN_BACK = operation("pool.close")
_TAKING = "Queue.get"


class Asyncpg:
    """A `Library`."""

    name = "asyncpg"
    distribution = "asyncpg"
    checked = versions.ASYNCPG

    def is_imported(self) -> bool:
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

        queues: Identities[bool] = Identities()
        as_pool = PoolType(asyncio.Queue, "asyncpg.Pool", _read).as_resource_type()
        return Support(
            resource_type_for=lambda thing: as_pool if queues.get(thing) else None,
            pools=(PoolType(holder, "asyncpg.Connection", _read_one),),
            pool_handles=(
                PoolHandle(proxy, _of_proxy),
                PoolHandle(connections["Connection"], _of_connection),
                PoolHandle(context, _of_context),
            ),
            task_waits=(
                TaskWait(code_of(pool, "_acquire"), _ACQUIRE, find=find),
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


def _of_connection(connection: object) -> Iterable[Lent]:
    return _of_proxy(attribute(connection, "_proxy"))


def _of_context(context: object) -> Iterable[Lent]:
    return _of_proxy(attribute(context, "connection"))


def _of_proxy(proxy: object) -> Iterable[Lent]:
    if proxy is None or attribute(proxy, "_con") is None:
        return ()  # given back
    holder = attribute(proxy, "_holder")
    connection, queue = attribute(holder, "_con"), attribute(attribute(holder, "_pool"), "_queue")
    if holder is None or queue is None:
        return ()
    lent = Lent(holder, queue)
    return (lent,) if connection is None else (lent, Lent(connection, holder))


ASYNCPG = Asyncpg()
