# SPDX-License-Identifier: Apache-2.0
"""What we add to an echo server whose stock instrumentation is on already, by gRPC and by HTTP.

`python -m bench.echo [WINDOWS] [REQUESTS]`: prints, publishes nothing. Two servers run at the same time, both under
`opentelemetry-instrument` with every span recorded, one with us switched off. They are loaded in turn; each pair of
windows gives a ratio of processor time per request, all threads and child processes included. A server that has little
of its processor, for others want it too, does fewer requests a second, and what we do once a second weighs more. Linux.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

from .modes import OTEL, PEEPS, Started, started
from .processes import collector, server
from .steady import cpu_ns, processors

_AT_ONCE = 16
_BODY = bytes(100)
_WARM_UP_S = 30.0
"""In which the watcher may spend more, and learns the program."""
Call = Callable[[], Awaitable[Any]]


@contextlib.asynccontextmanager
async def _grpc(port: int) -> AsyncGenerator[Call]:
    import grpc.aio

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = cast("Any", channel).unary_unary("/bench.Echo/Echo")
        yield lambda: method(_BODY, wait_for_ready=True)


@contextlib.asynccontextmanager
async def _http(port: int) -> AsyncGenerator[Call]:
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def call() -> None:
            async with session.post(f"http://127.0.0.1:{port}/echo", data=_BODY) as response:
                await response.read()

        yield call


CLIENTS = {"grpc": _grpc, "http": _http}


class Window(NamedTuple):
    """Nanoseconds of the server's processor time, per request, and of the clock on the wall, for all requests."""

    cost: float
    wall: int


async def _window(pid: int, call: Call, requests: int) -> Window:
    left = requests

    async def ask() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await call()

    before, began = cpu_ns(pid), time.monotonic_ns()
    await asyncio.gather(*(ask() for _ in range(_AT_ONCE)))
    return Window((cpu_ns(pid) - before) / requests, time.monotonic_ns() - began)


def how(mode: str, address: str, kind: str) -> Started:
    """A server whose spans are all recorded."""
    return started(mode, Path(sys.executable), address, "bench.echo_worker", kind)


async def _compare(kind: str, address: str, windows: int, requests: int) -> None:
    measured = processors()[0]
    with (
        server(how(OTEL, address, kind), measured) as (without, port_without),
        server(how(PEEPS, address, kind), measured) as (with_us, port_with_us),
    ):
        async with CLIENTS[kind](port_without) as call_without, CLIENTS[kind](port_with_us) as call_with_us:
            pairs: list[tuple[Window, Window]] = []
            begun = time.monotonic()
            while len(pairs) < windows:
                pair = await _window(without, call_without, requests), await _window(with_us, call_with_us, requests)
                if time.monotonic() - begun > _WARM_UP_S:
                    pairs.append(pair)
    print(_told(kind, pairs, requests))


def _told(kind: str, pairs: list[tuple[Window, Window]], requests: int) -> str:
    ratios = [ours.cost / plain.cost - 1 for plain, ours in pairs]
    plain_us, ours_us = (statistics.median(pair[side].cost for pair in pairs) / 1000 for side in (0, 1))
    quarters = statistics.quantiles(ratios, n=4)
    busy = statistics.median(plain.cost * requests / plain.wall for plain, _ in pairs)
    return (
        f"{kind}: {plain_us:.1f} us of processor time per request without us, {ours_us:.1f} us with; ratio: median "
        f"{statistics.median(ratios):+.1%}, middle half {quarters[0]:+.1%} to {quarters[2]:+.1%}, {len(pairs)} windows"
        f"; the server had {busy:.0%} of its processor"
    )


def main(windows: int = 30, requests: int = 3000) -> None:
    with collector(processors()[1]) as address:
        for kind in CLIENTS:
            asyncio.run(_compare(kind, address, windows, requests))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
