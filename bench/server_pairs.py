# SPDX-License-Identifier: Apache-2.0
"""What a request of the servers of `bench/run` costs more with us, on a machine that others use too.

`python -m bench.server_pairs [WINDOWS [REQUESTS [KIND…]]]`: prints, publishes nothing. Two servers run at the same
time, both under `opentelemetry-instrument`, one with us switched off, and are loaded in turn, sixteen requests at once.
Each pair of short windows gives a ratio of the processor time of the program's own thread per request. What other
threads and child processes take, ours among them, hardly grows with the requests: it is told as a share of a core.
`LOOP` names another event loop, `WARM` how many seconds the servers have run before the first window. Two servers of
one kind differ by 2 to 4 % by chance, as their memory happens to lie: take several runs. Linux.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from .loops import ASYNCIO
from .modes import OTEL, PEEPS, Started, started
from .processes import collector, server
from .request_work import BODY
from .server_worker import SERVERS
from .steady import cpu_ns, processors, thread_cpu_ns

_AT_ONCE = 16
_END = b"\r\n\r\n" + BODY
Calls = list[Callable[[], Awaitable[Any]]]


@contextlib.asynccontextmanager
async def _grpc(port: int) -> AsyncGenerator[Calls]:
    import grpc.aio

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = cast("Any", channel).unary_unary("/bench.Work/Answer")
        yield [lambda: method(b"", wait_for_ready=True)] * _AT_ONCE


@contextlib.asynccontextmanager
async def _http(port: int) -> AsyncGenerator[Calls]:
    """A call on each of sixteen connections."""

    def on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Callable[[], Awaitable[bytes]]:
        def ask() -> Awaitable[bytes]:
            writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
            return reader.readuntil(_END)

        return ask

    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(_AT_ONCE)]
    yield [on(*connection) for connection in connections]
    for _, writer in connections:
        writer.close()


async def _window(pid: int, calls: Calls, requests: int) -> float:
    """Nanoseconds of the program's thread per request."""
    left = requests

    async def ask(call: Callable[[], Awaitable[Any]]) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await call()

    before = thread_cpu_ns(pid, pid)
    await asyncio.gather(*map(ask, calls))
    return (thread_cpu_ns(pid, pid) - before) / requests


def _beside_ns(pid: int) -> int:
    """Processor time of all other threads, of the program's libraries too, and of the child processes."""
    return cpu_ns(pid) - thread_cpu_ns(pid, pid)


def _how(mode: str, address: str, kind: str) -> Started:
    loop = os.environ.get("LOOP", ASYNCIO)
    return started(mode, Path(sys.executable), address, "bench.server_worker", mode, loop, kind)


async def _compare(kind: str, address: str, windows: int, requests: int) -> str:
    measured = processors()[0]
    connected = _grpc if kind == "grpc" else _http
    with (
        server(_how(OTEL, address, kind), measured) as (without, port_without),
        server(_how(PEEPS, address, kind), measured) as (with_us, port_with_us),
    ):
        async with connected(port_without) as calls_without, connected(port_with_us) as calls_with_us:
            begun, warm = time.monotonic(), float(os.environ.get("WARM", "20"))
            pairs: list[tuple[float, float]] = []
            while time.monotonic() - begun < warm:
                for pid, calls in ((without, calls_without), (with_us, calls_with_us)):
                    await _window(pid, calls, requests)
            before, began = {pid: _beside_ns(pid) for pid in (without, with_us)}, time.monotonic_ns()
            for _ in range(windows):
                plain = await _window(without, calls_without, requests)
                ours = await _window(with_us, calls_with_us, requests)
                plain_again = await _window(without, calls_without, requests)
                pairs.append(((plain + plain_again) / 2, ours))
            took = time.monotonic_ns() - began
            beside = [(_beside_ns(pid) - before[pid]) / took for pid in (without, with_us)]
    return _told(kind, pairs, beside)


def _told(kind: str, pairs: list[tuple[float, float]], beside: list[float]) -> str:
    ratios = [ours / plain for plain, ours in pairs]
    plain_us, ours_us = (statistics.median(pair[side] for pair in pairs) / 1000 for side in (0, 1))
    low, _, high = statistics.quantiles(ratios, n=4)
    total = sum(ours for _, ours in pairs) / sum(plain for plain, _ in pairs)
    return (
        f"{kind}: {plain_us:.1f} us of the program's thread per request without us, {ours_us:.1f} us with; ratio: "
        f"median {statistics.median(ratios):.3f}, middle half {low:.3f} to {high:.3f}, of all together {total:.3f}, "
        f"{len(pairs)} windows; beside it {beside[1]:.1%} of a core, {beside[0]:.1%} without us"
    )


def main(windows: int, requests: int, kinds: list[str]) -> None:
    with collector(processors()[1]) as address:
        for kind in kinds:
            print(asyncio.run(_compare(kind, address, windows, requests)), flush=True)


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 40,
        int(sys.argv[2]) if len(sys.argv) > 2 else 400,
        sys.argv[3:] or list(SERVERS),
    )
