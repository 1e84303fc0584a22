# SPDX-License-Identifier: Apache-2.0
"""HTTP clients: who waits for a connection, and who has one by a response that he has not read."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.server
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import httpx
import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

from peeps_otel import semconv
from peeps_otel.model import EdgeKind, Node, Providers
from tests.probes.threads_world import Seen, world

_HERE = Path(__file__)


class _Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(b"x" * 1_000_000)

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the client has heard enough
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


# --- threads ----------------------------------------------------------------------------------------------------------


class _Of(NamedTuple):
    """A client with one connection: how to ask for a response and keep it unread, how to let it go, and its end."""

    ask: Callable[[str], Any]
    let_go: Callable[[Any], object]
    end: Callable[[], Any] = lambda: None


def _urllib3() -> _Of:
    client = urllib3.PoolManager(maxsize=1, block=True)

    def ask(url: str) -> urllib3.BaseHTTPResponse:
        return client.request("GET", url, preload_content=False)

    return _Of(ask, urllib3.HTTPResponse.release_conn)


def _requests() -> _Of:
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))

    def ask(url: str) -> requests.Response:
        return session.get(url, stream=True)

    return _Of(ask, requests.Response.close)


def _httpx() -> _Of:
    client = httpx.Client(limits=httpx.Limits(max_connections=1), timeout=None, verify=False)

    def ask(url: str) -> httpx.Response:
        return client.send(client.build_request("GET", url), stream=True)

    return _Of(ask, httpx.Response.close, client.close)


_THREADS = [
    (_urllib3, "urllib3.HTTPConnectionPool"),
    (_requests, "urllib3.HTTPConnectionPool"),
    (_httpx, "httpcore.ConnectionPool"),
]


@pytest.mark.parametrize(("make", "type_name"), _THREADS, ids=[make.__name__[1:] for make, _ in _THREADS])
def test_threads_that_share_a_connection(url: str, make: Callable[[], _Of], type_name: str) -> None:
    client, kept, done = make(), list[Any](), threading.Event()

    def keeper() -> None:
        response = client.ask(url)  # <keeps>
        kept.append(response)
        done.wait()

    def waiter() -> None:
        kept.append(client.ask(url))

    with world() as threads:
        threads.cleaning += [lambda: client.let_go(kept[0]), done.set]
        threads.start("keeper", keeper)
        threads.until(lambda _: bool(kept))
        threads.start("waiter", waiter)
        seen = threads.until(lambda seen: _is_held(seen, "waiter"))
        (pool,) = seen.needed("waiter")
    client.end()
    assert seen.thread("waiter").wait is not None
    assert _told(seen, "waiter", pool) == ("pool.acquire", type_name, 1, 0, 1, [("thread keeper", _line("keeps"))])


def test_a_request_on_its_way_has_its_connection() -> None:
    """Of urllib3, whose connections do not know their pool."""
    silent, done = http.server.HTTPServer(("127.0.0.1", 0), _Site), threading.Event()  # accepts, never answers
    client = urllib3.HTTPConnectionPool("127.0.0.1", silent.server_port, maxsize=1, block=True, timeout=60)
    with world() as threads:
        threads.cleaning.append(silent.server_close)
        threads.start("asker", lambda: client.request("GET", "/", retries=False))
        threads.until(lambda _: client.num_connections == 1)
        threads.start("waiter", lambda: client.request("GET", "/", retries=False, pool_timeout=20))
        seen = threads.until(lambda seen: _is_held(seen, "waiter"))
        (pool,) = seen.needed("waiter")
        done.set()
    assert _told(seen, "waiter", pool)[3:] == (0, 1, [("thread asker", None)])
    wait = seen.thread("waiter").wait
    assert wait is not None
    assert wait.deadline_ns is not None


def test_who_may_have_as_many_as_he_likes_waits_for_nobody(url: str) -> None:
    client = urllib3.PoolManager(maxsize=1)  # not `block`
    responses = [client.request("GET", url, preload_content=False) for _ in range(3)]
    with world() as threads:
        stay = threading.Event()
        threads.cleaning.append(stay.set)
        threads.start("idle", stay.wait)
        seen = threads.settled("idle")
    for response in responses:
        response.close()
    assert [node for node in seen.nodes.values() if semconv.POOL_IN_USE in node.attributes] == []


# --- tasks ------------------------------------------------------------------------------------------------------------


async def _aiohttp_in_all(_url: str) -> _Of:
    return _of_aiohttp(aiohttp.TCPConnector(limit=1))


async def _aiohttp_by_host(_url: str) -> _Of:
    return _of_aiohttp(aiohttp.TCPConnector(limit=0, limit_per_host=1))


def _of_aiohttp(connector: aiohttp.TCPConnector) -> _Of:
    session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
    return _Of(session.get, aiohttp.ClientResponse.close, session.close)


async def _async_httpx(_url: str) -> _Of:
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=1), timeout=None, verify=False)

    def ask(url: str) -> Awaitable[httpx.Response]:
        return client.send(client.build_request("GET", url), stream=True)

    def let_go(response: httpx.Response) -> object:
        return asyncio.ensure_future(response.aclose())

    return _Of(ask, let_go, client.aclose)


_TASKS = [
    (_aiohttp_in_all, "aiohttp.Connector"),
    (_aiohttp_by_host, "aiohttp.Connector"),
    (_async_httpx, "httpcore.AsyncConnectionPool"),
]


@pytest.mark.parametrize(("make", "type_name"), _TASKS, ids=[make.__name__[1:] for make, _ in _TASKS])
def test_tasks_that_share_a_connection(url: str, make: Callable[[str], Awaitable[_Of]], type_name: str) -> None:
    with world() as tasks:

        async def scene() -> None:
            client, opened, stop = await make(url), asyncio.Event(), asyncio.Event()
            loop = asyncio.get_running_loop()
            tasks.cleaning.append(lambda: loop.call_soon_threadsafe(stop.set))

            async def keeper() -> None:
                response = await client.ask(url)  # <keeps in a task>
                opened.set()
                await stop.wait()
                client.let_go(response)

            async def waiter() -> None:
                await opened.wait()
                client.let_go(await client.ask(url))

            await asyncio.gather(*(asyncio.create_task(one(), name=one.__name__) for one in (keeper, waiter)))
            await client.end()

        tasks.start("loop", lambda: asyncio.run(scene()))
        seen = tasks.until(lambda seen: _is_held(seen, "waiter"))
        (pool,) = _needed(seen, "waiter")
    wanted = ("pool.acquire", type_name, 1, 0, 1, [("task keeper", _line("keeps in a task"))])
    assert _told(seen, "waiter", pool) == wanted


async def _dropped(client: httpx.AsyncClient, url: str) -> None:
    """A response that nobody has read or closed."""
    await client.send(client.build_request("GET", url), stream=True)


def test_a_response_that_was_dropped_has_lost_its_connection(url: str) -> None:
    with world() as tasks:

        async def scene() -> None:
            client, stop = httpx.AsyncClient(limits=httpx.Limits(max_connections=2), verify=False), asyncio.Event()
            loop = asyncio.get_running_loop()
            tasks.cleaning.append(lambda: loop.call_soon_threadsafe(stop.set))
            await _dropped(client, url)
            gc.collect()  # since 3.13 a cycle keeps it until then
            kept = await client.send(client.build_request("GET", url), stream=True)
            waits = asyncio.create_task(client.get(url, timeout=None), name="waiter")
            await stop.wait()
            await kept.aclose()
            await waits
            await client.aclose()

        tasks.start("loop", lambda: asyncio.run(scene()))
        # Another thread may just have one of its objects in hand: then it does not count as lost in that look.
        seen = tasks.until(
            lambda seen: (
                _is_held(seen, "waiter") and all("peeps.pool.lost" in one.attributes for one in _needed(seen, "waiter"))
            )
        )
        (pool,) = _needed(seen, "waiter")
    assert (pool.attributes["peeps.pool.in_use"], pool.attributes["peeps.pool.lost"], pool.providers) == (
        *(2, 1),
        Providers.ESTIMATED,
    )


# --- what is seen -----------------------------------------------------------------------------------------------------


def _node(seen: Seen, name: str) -> Node | None:
    found = [one for one in seen.nodes.values() if one.kind in ("task", "thread") and one.name == name]
    return found[0] if found else None


def _needed(seen: Seen, name: str) -> list[Node]:
    node = _node(seen, name)
    return [] if node is None else [seen.nodes[edge.dst] for edge in seen.edges(node, EdgeKind.NEEDS)]


def _is_held(seen: Seen, waiter: str) -> bool:
    """Whether it waits for a pool of which somebody is known to have something."""
    return any(seen.edges(pool, EdgeKind.HELD_BY) for pool in _needed(seen, waiter))


def _told(seen: Seen, waiter: str, pool: Node) -> tuple[Any, ...]:
    """Operation; type, capacity, free ones and those in use of the pool; who has one, taken where."""
    node = _node(seen, waiter)
    assert node is not None
    assert node.wait is not None
    names = (semconv.RESOURCE_TYPE, semconv.SEMAPHORE_PERMITS, semconv.SEMAPHORE_AVAILABLE, semconv.POOL_IN_USE)
    holds = [(seen.label(edge.dst), edge.source) for edge in seen.edges(pool, EdgeKind.HELD_BY)]
    return (node.wait.operation, *(pool.attributes.get(name) for name in names), holds)


def _line(mark: str) -> str:
    lines = _HERE.read_text(encoding="utf-8").splitlines()
    return f"{_HERE}:{next(number for number, line in enumerate(lines, 1) if line.rstrip().endswith(f'# <{mark}>'))}"
