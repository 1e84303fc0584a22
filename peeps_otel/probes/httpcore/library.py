# SPDX-License-Identifier: Apache-2.0
"""httpcore's connection pools, for tasks and for threads; httpx's clients are made of them.

A request stays in the pool's list from its beginning until its response is closed. One that was given a connection has
it. A connection that is neither idle nor of such a request is lost: its request went away at the wrong moment.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from sys import getrefcount
from typing import Any, cast

from ..internals import versions
from ..library import (
    Lent,
    Place,
    PoolHandle,
    PoolState,
    PoolType,
    Support,
    SuspendedFrame,
    TaskWait,
    ThreadWait,
    Waiting,
    attribute,
    code_of,
    first_of,
    operation,
)

ASYNC, SYNC = "httpcore._async.connection_pool", "httpcore._sync.connection_pool"
_MODELS, _SYNCHRONIZATION = "httpcore._models", "httpcore._synchronization"
_ACQUIRE = operation("pool.acquire")
_KNOWN_TO_POOL = 3  # references: the pool's list, our copy of it, and what is just being counted
_AT_REST = ("IDLE", "CLOSED")
_WRAPPED_MOST = 4  # a proxy's connection is around another one, which is around that of a protocol


class Httpcore:
    """A `Library`."""

    name = "httpcore"
    distribution = "httpcore"
    checked = versions.HTTPCORE

    def is_imported(self) -> bool:
        """The last class of each module: it has been read to its end."""
        return all("PoolByteStream" in vars(sys.modules.get(name, sys)) for name in (ASYNC, SYNC))

    def support(self) -> Support:
        asynchronous, synchronous = sys.modules[ASYNC], sys.modules[SYNC]
        return Support(
            pools=(
                PoolType(asynchronous.AsyncConnectionPool, "httpcore.AsyncConnectionPool", _read),
                PoolType(synchronous.ConnectionPool, "httpcore.ConnectionPool", _read),
            ),
            pool_handles=(
                PoolHandle(asynchronous.AsyncPoolRequest, _of_request),
                PoolHandle(synchronous.PoolRequest, _of_request),
                PoolHandle(asynchronous.PoolByteStream, lent_by_stream),
                PoolHandle(synchronous.PoolByteStream, lent_by_stream),
                PoolHandle(sys.modules[_MODELS].Response, _of_response),
            ),
            task_waits=(_task_wait(asynchronous),),
            thread_waits=(ThreadWait(SYNC, "PoolRequest.wait_for_connection", _ACQUIRE, finds="self", finds_in=1),),
            thread_modules=(_SYNCHRONIZATION,),
        )


def _task_wait(module: Any) -> TaskWait:
    pool_type = module.AsyncConnectionPool

    def find(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
        """The pool is known to the function around it."""
        pool = next((first_of(outer, pool_type) for outer, inner in pairwise(links) if inner is link), None)
        return Waiting(_ACQUIRE, () if pool is None else (pool,))

    code = code_of(module.AsyncPoolRequest, "wait_for_connection")
    return TaskWait(code, _ACQUIRE, find=find, place=Place.AROUND_OTHERS)


def _read(pool: Any) -> PoolState:
    """What is lent are the requests that have a connection: one that went away has none any more."""
    most = attribute(pool, "_max_connections")
    bounded = type(most) is int and most < sys.maxsize
    connections, requests = _listed(pool, "_connections"), _listed(pool, "_requests")
    forgotten = _forgotten(requests)
    having = [one for one in requests if attribute(one, "connection") is not None]
    given = {id(attribute(one, "connection")) for one in having}
    taken = sum(id(one) in given or not _is_at_rest(one) for one in connections)
    return PoolState(
        capacity=most if bounded else None,
        in_use=taken,
        waiters=len(requests) - len(having),
        unbounded=not bounded,
        lent=tuple(having),
        lost=forgotten + sum(id(one) not in given and _is_new(one) for one in connections),
    )


def _forgotten(requests: list[Any]) -> int:
    """How many requests have a connection and are known to their pool alone. Only the request on its way, and the body
    of its response, give it back: nobody has either any more, the body was neither read nor closed."""
    forgotten = 0
    for number in range(len(requests)):
        if getrefcount(requests[number]) <= _KNOWN_TO_POOL and attribute(requests[number], "connection") is not None:
            forgotten += 1
    return forgotten


def _listed(pool: object, name: str) -> list[Any]:
    found = attribute(pool, name)
    return cast("list[Any]", found).copy() if type(found) is list else []


def _is_at_rest(connection: object) -> bool:
    """Whether the pool may use a connection for another request, or close it to make room. One that still has to
    connect is not."""
    for _ in range(_WRAPPED_MOST):
        if attribute(connection, "_connect_failed") is True:
            return True
        state = attribute(connection, "_state")
        if state is not None:
            return attribute(state, "_name_") in _AT_REST
        connection = attribute(connection, "_connection")
        if connection is None:
            return False
    return False


def _is_new(connection: object) -> bool:
    """Whether nobody has begun to connect it. It was made for a request: without that nobody ever will."""
    return attribute(connection, "_connect_failed") is False and attribute(connection, "_connection") is None


def _of_request(request: object) -> Iterator[Lent]:
    """A request on its way. It does not know its pool, which knows it as long as it has a connection."""
    yield Lent(request)


def lent_by_stream(stream: object) -> Iterator[Lent]:
    """The body of a response, which keeps its connection until it is closed; nothing for any other object."""
    kind = type(stream)
    modules = (sys.modules.get(name) for name in (ASYNC, SYNC))
    if not any(module is not None and kind is vars(module).get("PoolByteStream") for module in modules):
        return
    request = attribute(stream, "_pool_request")
    if attribute(stream, "_closed") is False and request is not None:
        yield Lent(request, attribute(stream, "_pool"))


def _of_response(response: object) -> Iterator[Lent]:
    return lent_by_stream(attribute(response, "stream"))


HTTPCORE = Httpcore()
