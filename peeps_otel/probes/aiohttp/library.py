# SPDX-License-Identifier: Apache-2.0
"""aiohttp's client: its connector is a pool, with a limit for all connections and one for each host.

Who waits may wait for either limit. Both are one node; it shows the limit that is reached: that for all, otherwise that
of the hosts somebody waits for. Until when a request waits for its answer is told by timers that no `async with` shows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, cast

from ..internals import aiohttp_client, versions
from ..library import (
    Lent,
    PoolHandle,
    PoolState,
    PoolType,
    Support,
    SuspendedFrame,
    TaskWait,
    Waiting,
    attribute,
    code_of,
    count_waiting,
    first_of,
    operation,
    timer_within,
)

_CONNECTOR, _CLIENT = "aiohttp.connector", "aiohttp.client"
_RESPONSES, _SOCKETS = "aiohttp.client_reqrep", "aiohttp.client_ws"
_ACQUIRE, _FUTURE = operation("pool.acquire"), operation("future")


class Aiohttp:
    """A `Library`."""

    name = "aiohttp"
    distribution = "aiohttp"
    checked = versions.AIOHTTP

    def is_imported(self) -> bool:
        """The last class or function of each module: it has been read to its end."""
        ends = (
            (_CONNECTOR, "UnixConnector"),
            (_CLIENT, "request"),
            (_RESPONSES, "ClientResponse"),
            (_SOCKETS, "ClientWebSocketResponse"),
        )
        return all(last in vars(sys.modules.get(name, sys)) for name, last in ends)

    def support(self) -> Support:
        connector, client = sys.modules[_CONNECTOR], sys.modules[_CLIENT]
        return Support(
            pools=(PoolType(connector.BaseConnector, "aiohttp.Connector", _read),),
            pool_handles=(
                PoolHandle(connector.Connection, _of_connection),
                PoolHandle(connector._TransportPlaceholder, _of_placeholder),  # noqa: SLF001  no public name leads to it
                PoolHandle(sys.modules[_RESPONSES].ClientResponse, _of_response),
                PoolHandle(sys.modules[_SOCKETS].ClientWebSocketResponse, _of_web_socket),
                PoolHandle(client._BaseRequestContextManager, _of_request),  # noqa: SLF001  what `session.get()` returns
            ),
            task_waits=(
                _task_wait(connector.BaseConnector, client.ClientSession),
                TaskWait(aiohttp_client.request_code(), _FUTURE, find=_answer),
            ),
        )


def _answer(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting:
    inward = links[next((place for place, one in enumerate(links) if one is link), 0) :]
    return Waiting(_FUTURE, (future,), deadline=aiohttp_client.earliest_timer(inward))


def _task_wait(connector: Any, session: Any) -> TaskWait:
    code = code_of(connector, "_wait_for_available_connection")
    asks = code_of(session, "_request")

    def find(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
        pool = first_of(link, connector)
        outer = next((one for one in links if one.code is asks), link)  # where the timeout of the request begins
        return Waiting(_ACQUIRE, () if pool is None else (pool,), deadline=timer_within(links, outer))

    return TaskWait(code, _ACQUIRE, find=find)


def _read(connector: Any) -> PoolState:
    acquired = _elements(attribute(connector, "_acquired"))
    limit = attribute(connector, "_limit")
    waiting = _waiting_by_host(connector)
    waiters = sum(waiting.values())
    most = limit if type(limit) is int and limit > 0 else None
    if most is not None and len(acquired) >= most:
        return PoolState(most, len(acquired), waiters=waiters, lent=tuple(acquired))
    each = attribute(connector, "_limit_per_host")
    if type(each) is not int or each <= 0:
        return PoolState(most, len(acquired), waiters=waiters, unbounded=most is None, lent=tuple(acquired))
    hosts = attribute(connector, "_acquired_per_host")
    full = [
        taken
        for host, protocols in (list(cast("dict[Any, Any]", hosts).items()) if issubclass(type(hosts), dict) else ())
        if len(taken := _elements(protocols)) >= each and waiting.get(_host(host))
    ]
    if not full:
        return PoolState(most, len(acquired), waiters=waiters, lent=tuple(acquired))
    lent = tuple(one for taken in full for one in taken)
    return PoolState(each * len(full), len(lent), waiters=waiters, lent=lent)


def _elements(protocols: object) -> list[Any]:
    return list(cast("set[Any]", protocols).copy()) if type(protocols) is set else []


def _waiting_by_host(connector: object) -> dict[tuple[Any, ...], int]:
    """How many wait for a connection to each host."""
    waiters = attribute(connector, "_waiters")
    found: dict[tuple[Any, ...], int] = {}
    for key, futures in list(cast("dict[Any, Any]", waiters).items()) if issubclass(type(waiters), dict) else ():
        found[_host(key)] = found.get(_host(key), 0) + (count_waiting(futures) or 0)
    return found


def _host(key: object) -> tuple[Any, ...]:
    """Host, port and whether by TLS, of the key by which connections are told apart. The whole key is not compared: the
    program's own objects may be in it."""
    if not issubclass(type(key), tuple):
        return ()
    parts: Iterator[Any] = cast("Any", tuple).__iter__(key)
    return tuple(part if type(part) in (str, int, bool) else None for part in parts)[:3]


# --- what has a connection --------------------------------------------------------------------------------------------


def _of_connection(connection: object) -> Iterator[Lent]:
    protocol = attribute(connection, "_protocol")
    if protocol is not None:
        yield Lent(protocol, attribute(connection, "_connector"))


def _of_placeholder(placeholder: object) -> Iterator[Lent]:
    """Stands for a connection that is being made."""
    yield Lent(placeholder)


def _of_response(response: object) -> Iterator[Lent]:
    return _of_connection(attribute(response, "_connection"))


def _of_web_socket(web_socket: object) -> Iterator[Lent]:
    return _of_response(attribute(web_socket, "_response"))


def _of_request(request: object) -> Iterator[Lent]:
    """What `async with session.get(…)` is inside of."""
    return _of_response(attribute(request, "_resp"))


AIOHTTP = Aiohttp()
