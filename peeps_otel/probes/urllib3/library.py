# SPDX-License-Identifier: Apache-2.0
"""urllib3's pool for one host. It makes one wait only with `block=True`; otherwise it makes connections as wanted.

The free connections lie in a queue, so those that are taken are counted by what is missing there. A response knows its
pool; a connection with a request on its way does not, but its host and port do, where one pool alone is for them.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from queue import LifoQueue, Queue
from typing import Any, cast
from weakref import WeakSet

from ..internals import versions
from ..library import Lent, PoolHandle, PoolState, PoolType, Support, ThreadWait, attribute, operation

_POOLS, _RESPONSES, _CONNECTIONS = "urllib3.connectionpool", "urllib3.response", "urllib3.connection"
_QUEUES = "urllib3.util.queue"


class Urllib3:
    """A `Library`. For the watcher thread only."""

    name = "urllib3"
    distribution = "urllib3"
    checked = versions.URLLIB3

    def __init__(self) -> None:
        self._waited_for: WeakSet[Any] = WeakSet()

    def is_imported(self) -> bool:
        """The last function or class of each module: it has been read to its end."""
        ends = ((_POOLS, "connection_from_url"), (_RESPONSES, "HTTPResponse"), (_CONNECTIONS, "HTTPSConnection"))
        return all(last in vars(sys.modules.get(name, sys)) for name, last in ends)

    def support(self) -> Support:
        return Support(
            pools=(PoolType(sys.modules[_POOLS].HTTPConnectionPool, "urllib3.HTTPConnectionPool", self._read),),
            pool_handles=(
                PoolHandle(sys.modules[_RESPONSES].HTTPResponse, lent_by_response),
                PoolHandle(sys.modules[_CONNECTIONS].HTTPConnection, self._of_connection),
            ),
            thread_waits=(ThreadWait(_POOLS, "HTTPConnectionPool._get_conn", operation("pool.acquire"), finds="self"),),
        )

    def _read(self, pool: Any) -> PoolState:
        self._waited_for.add(pool)
        host, port = attribute(pool, "host"), attribute(pool, "port")
        name = f"{host}:{port}" if type(host) is str and type(port) is int else host if type(host) is str else ""
        free = _queue_of(pool)
        if free is None:
            return PoolState(None, None, name=name)
        capacity = attribute(free, "maxsize")
        if attribute(pool, "block") is not True or type(capacity) is not int or capacity <= 0:
            return PoolState(None, None, name=name, unbounded=True)
        return PoolState(capacity, max(0, capacity - len(_contents(free))), name=name)

    def _of_connection(self, connection: Any) -> Iterator[Lent]:
        host, port = attribute(connection, "_dns_host"), attribute(connection, "port")
        pools = [
            pool for pool in self._waited_for if (attribute(pool, "host"), attribute(pool, "port")) == (host, port)
        ]
        if len(pools) == 1 and type(host) is str and type(port) is int:
            free = _queue_of(pools[0])
            if free is not None and all(one is not connection for one in _contents(free)):
                yield Lent(connection, pools[0])


def lent_by_response(response: object) -> Iterator[Lent]:
    """A response keeps its connection until it has been read or released; nothing for any other object."""
    module = sys.modules.get(_RESPONSES)
    known: Any = None if module is None else vars(module).get("HTTPResponse")
    if known is None or not issubclass(type(response), known):
        return
    connection, pool = attribute(response, "_connection"), attribute(response, "_pool")
    if connection is not None and pool is not None:
        yield Lent(connection, pool)


def _queue_of(pool: object) -> Queue[Any] | None:
    """None of a pool that is closed, or has a queue of the program's own."""
    free = attribute(pool, "pool")
    its_own = vars(sys.modules.get(_QUEUES, sys)).get("LifoQueue")  # before 2.0
    return cast("Queue[Any]", free) if type(free) is LifoQueue or type(free) is its_own else None


def _contents(free: Queue[Any]) -> list[Any]:
    items = attribute(free, "queue")
    return list(cast("list[Any]", items)) if type(items) in (list, deque) else []


URLLIB3 = Urllib3()
