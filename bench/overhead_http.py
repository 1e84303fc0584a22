# SPDX-License-Identifier: Apache-2.0
"""What watching costs an HTTP server: throughput and CPU time per request, with us and without.

Each round runs the same server three times, in an order that changes from round to round, each in a fresh process:

* `plain`: python alone, for reference;
* `off`: under `opentelemetry-instrument`, with PEEPS_ENABLED=false;
* `on`: the same with PEEPS_DASHBOARD, which names a real collector.

A ratio compares two runs of the same round, and the table shows the median over the rounds: a machine that gets slower
from minute to minute does not get into it. The load comes from a process of its own over kept-alive connections, each
with one request under way. Every request takes a lock, goes through a bounded queue to a worker, and awaits a task.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

MODES = ("plain", "off", "on")
BODY = b"ok\n"
_START_SECONDS = 60.0


# --- the server -----------------------------------------------------------------------------------------------------


class Work:
    """What each request does; the same in both servers."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.jobs: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue(64)
        self.workers = [asyncio.create_task(self._work(), name=f"worker-{number}") for number in range(4)]
        self.count = 0

    async def handle(self) -> bytes:
        async with self.lock:
            self.count += 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self.jobs.put(done)
        await done
        return await asyncio.create_task(self._answer())

    async def _work(self) -> None:
        while True:
            done = await self.jobs.get()
            if not done.done():
                done.set_result(None)

    async def _answer(self) -> bytes:
        return BODY


def cpu() -> bytes:
    """All CPU time of this process so far, all threads, in ns."""
    return b"%d\n" % time.process_time_ns()


async def serve_streams() -> None:
    work = Work()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = cpu() if head.startswith(b"GET /cpu") else await work.handle()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


async def serve_aiohttp() -> None:
    from aiohttp import web

    work = Work()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=await work.handle())

    async def answer_cpu(request: web.Request) -> web.Response:
        return web.Response(body=cpu())

    application = web.Application()
    application.add_routes([web.get("/", answer), web.get("/cpu", answer_cpu)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


SERVERS: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {"streams": serve_streams, "aiohttp": serve_aiohttp}


# --- the load -------------------------------------------------------------------------------------------------------


class Client(asyncio.Protocol):
    """Sends the next request when the answer to the last is there."""

    _REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"

    def __init__(self) -> None:
        self.answers = 0
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        transport.write(self._REQUEST)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\r\n\r\n" + BODY):
            self._received = b""
            self.answers += 1
            assert self._transport is not None
            self._transport.write(self._REQUEST)


async def server_cpu_ns(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /cpu HTTP/1.1\r\nHost: bench\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body = await reader.readexactly(int(length.partition(b":")[2]))
    writer.close()
    return int(body)


async def load(port: int, connections: int, warm_up: float, seconds: float) -> None:
    """Prints requests, nanoseconds, and the server's CPU nanoseconds."""
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(Client, "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.sleep(warm_up)
    cpu_before, answers_before, before = await server_cpu_ns(port), sum(c.answers for c in clients), time.monotonic_ns()
    await asyncio.sleep(seconds)
    cpu_after, answers_after, after = await server_cpu_ns(port), sum(c.answers for c in clients), time.monotonic_ns()
    print(json.dumps([answers_after - answers_before, after - before, cpu_after - cpu_before]))


# --- the comparison -------------------------------------------------------------------------------------------------


class Run(NamedTuple):
    per_second: float
    cpu_us: float


def measure(options: argparse.Namespace, mode: str, kind: str, loop: str, otlp: str) -> Run:
    """One run of one server in one mode. Raises RuntimeError where it does not work."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PEEPS_", "OTEL_"))}
    environment |= {f"OTEL_{signals}_EXPORTER": "none" for signals in ("TRACES", "METRICS", "LOGS")}
    environment |= {"PEEPS_DASHBOARD": otlp} if mode == "on" else {"PEEPS_ENABLED": "false"}
    command = [str(options.python), __file__, "serve", kind, loop]
    if mode != "plain":
        command = [str(options.python.with_name("opentelemetry-instrument")), "--service_name", "bench", *command]
    server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"the {kind} server did not start ({mode})")
        times = [str(options.connections), str(options.warm_up), str(options.seconds)]
        said = subprocess.run(
            [options.python, __file__, "load", port, *times], env=environment, capture_output=True, text=True
        )
        if said.returncode:
            raise RuntimeError(said.stderr)
        answers, elapsed_ns, cpu_ns = json.loads(said.stdout)
        if not answers or server.poll() is not None:
            raise RuntimeError(f"the {kind} server gave no answers ({mode})")
        return Run(answers / elapsed_ns * 1e9, cpu_ns / answers / 1e3)
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def collector(python: Path) -> Iterator[tuple[str, str]]:
    """The OTLP and the API address of a collector of our own."""
    with tempfile.TemporaryDirectory(prefix="peeps-bench-") as directory:
        ready = Path(directory, "ready.json")
        environment = os.environ | {
            "PEEPS_LISTEN": "127.0.0.1:0",
            "PEEPS_API": "127.0.0.1:0",
            "PEEPS_OTLP_GRPC": "off",
            "PEEPS_OTLP_HTTP": "off",
            "PEEPS_DB": str(Path(directory, "peeps.duckdb")),
        }
        command = [python.with_name("peeps"), "collector", "--ready-file", str(ready)]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            end = time.monotonic() + _START_SECONDS
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("the collector did not start")
                time.sleep(0.05)
            said = json.loads(ready.read_text())
            yield said["grpc"][0], said["api"]
        finally:
            process.terminate()
            process.wait()


def received_snapshots(api: str) -> int:
    import urllib.request

    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{api}/health") as answer:
        return json.load(answer)["received"]["snapshots"]


def compare(options: argparse.Namespace, kind: str, loop: str) -> list[str]:
    """The rows of the table for one server."""
    rounds: list[dict[str, Run]] = []
    with collector(options.python) as (otlp, api):
        for number in range(options.rounds):
            order = MODES[number % 3 :] + MODES[: number % 3]
            rounds.append({mode: measure(options, mode, kind, loop, otlp) for mode in order})
            print(f"{kind}/{loop} round {number + 1} of {options.rounds}", file=sys.stderr)
        if not received_snapshots(api):
            raise RuntimeError("the collector received nothing: `on` was not on")
    return [row(kind, loop, mode, rounds) for mode in MODES]


def row(kind: str, loop: str, mode: str, rounds: list[dict[str, Run]]) -> str:
    per_second = statistics.median(each[mode].per_second for each in rounds)
    cpu_us = statistics.median(each[mode].cpu_us for each in rounds)
    cells = [kind, loop, mode, f"{per_second:,.0f}", f"{cpu_us:.1f}"]
    for field in Run._fields:
        ratios = [getattr(each[mode], field) / getattr(each["off"], field) - 1 for each in rounds]
        spread = f" ({min(ratios):+.1%} … {max(ratios):+.1%})"
        cells.append("" if mode == "off" else f"{statistics.median(ratios):+.2%}{spread}")
    return f"| {' | '.join(cells)} |"


def main() -> int:
    if sys.argv[1:2] == ["serve"]:
        run(SERVERS[sys.argv[2]](), sys.argv[3])
        return 0
    if sys.argv[1:2] == ["load"]:
        run(load(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])), "fastest")
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="has peeps-otel and peeps-collector")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring, each run")
    parser.add_argument("--warm-up", type=float, default=1.5, help="seconds before that")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--server", choices=[*SERVERS, "both"], default="both")
    parser.add_argument("--loop", choices=["asyncio", "uvloop", "both"], default="asyncio")
    options = parser.parse_args()
    lines: list[str] = []
    try:
        for kind in SERVERS if options.server == "both" else [options.server]:
            for loop in ("asyncio", "uvloop") if options.loop == "both" else [options.loop]:
                lines += compare(options, kind, loop)
    except (RuntimeError, OSError) as error:
        print(f"overhead_http: {error}", file=sys.stderr)
        return 1
    version = subprocess.check_output([options.python, "-c", "import sys; print(sys.version.split()[0])"], text=True)
    print(
        f"Python {version.strip()}, {os.cpu_count()} CPUs, {options.rounds} rounds of {options.seconds:g} s, "
        f"{options.connections} connections; medians (least … most)\n\n"
        "| server | loop | mode | requests/s | CPU µs/request | throughput against `off` | CPU against `off` |\n"
        "|---|---|---|--:|--:|--:|--:|"
    )
    print("\n".join(lines))
    return 0


def run(work: Coroutine[Any, Any, None], loop: str) -> None:
    """`loop`: asyncio, uvloop, or fastest, which is uvloop where it is installed."""
    if loop == "fastest":
        loop = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    importlib.import_module(loop).run(work)


if __name__ == "__main__":
    raise SystemExit(main())
