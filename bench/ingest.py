# SPDX-License-Identifier: Apache-2.0
"""What the collector's processor time buys: `python -m bench.ingest [--only NAME …] [--seconds 10]`.

A collector of its own for each row, its real database file, senders in this process. The clock is the processor time of
the collector with its child processes, from the first request until everything sent is committed; so other programs on
the machine matter little. Prints one line a row.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib.util
import json
import os
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from peeps_otel import semconv
from peeps_otel.model import Edge, EdgeKind, Frame, Node, NodeKind, Providers, Snapshot, Wait
from peeps_otel.model.snapshot_pb2 import Snapshot as Message
from peeps_otel.model.ulid import UlidSource
from peeps_otel.model.wire import Encoder
from scripts.collector_process import CollectorProcess, on_free_ports

from .steady import cpu_ns, resident_bytes

_SPANS = 512
_BODIES = 8
_SECOND_NS = 1_000_000_000
_COMPILING_SECONDS = 120
WITHOUT_QUOTAS = {"PEEPS_PROCESS_ROWS": str(10**12), "PEEPS_PROCESS_BYTES": str(10**15)}


def span_bodies() -> list[bytes]:
    """Requests of 512 spans with ten attributes, about 170 KB each, as a stock SDK sends them."""
    chance = random.Random(7)
    bodies: list[bytes] = []
    for number in range(_BODIES):
        request = ExportTraceServiceRequest()
        block = request.resource_spans.add()
        for key, value in ((semconv.SERVICE_NAME, "shop"), (semconv.SERVICE_INSTANCE_ID, f"shop-{number}")):
            block.resource.attributes.add(key=key).value.string_value = value
        scope = block.scope_spans.add()
        scope.scope.name, scope.scope.version = "opentelemetry.instrumentation.asgi", "0.55b0"
        for place in range(_SPANS):
            start = 1_790_000_000_000_000_000 + chance.randrange(10**9)
            span = scope.spans.add(
                trace_id=chance.randbytes(16),
                span_id=chance.randbytes(8),
                parent_span_id=chance.randbytes(8) if place % 3 else b"",
                name=f"GET /orders/{{id}}/{place % 20}",
                kind=chance.randrange(1, 6),
                start_time_unix_nano=start,
                end_time_unix_nano=start + chance.randrange(10**8),
                flags=257,
            )
            span.status.code = chance.choice((Status.STATUS_CODE_UNSET, Status.STATUS_CODE_ERROR))
            texts = {
                "http.request.method": "GET",
                "url.path": f"/orders/{chance.randrange(10**6)}",
                "url.scheme": "http",
                "server.address": "shop.internal",
                "client.address": f"10.0.{chance.randrange(255)}.{chance.randrange(255)}",
                "user_agent.original": "python-httpx/0.28.1",
                "http.route": "/orders/{id}",
            }
            for key, text in texts.items():
                span.attributes.add(key=key).value.string_value = text
            span.attributes.add(key="server.port").value.int_value = 8080
            span.attributes.add(key="http.response.status_code").value.int_value = chance.choice((200, 200, 404))
            span.attributes.add(key="app.share").value.double_value = chance.random()
        bodies.append(request.SerializeToString())
    return bodies


def span_by_http(address: str, seconds: float) -> int:
    """Spans sent and acknowledged."""
    bodies = span_bodies()
    host, _, port = address.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        body = bodies[sent // _SPANS % _BODIES]
        connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
        response = connection.getresponse()
        response.read()
        if response.status == 200:
            sent += _SPANS
        else:
            time.sleep(0.05)
    return sent


def span_by_grpc(address: str, seconds: float) -> int:
    bodies = span_bodies()
    with grpc.insecure_channel(address) as channel:
        method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        export = cast("Callable[[bytes], object]", channel.unary_unary(method))
        end, sent = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            try:
                export(bodies[sent // _SPANS % _BODIES])
            except grpc.RpcError:
                time.sleep(0.05)
            else:
                sent += _SPANS
    return sent


class Program:
    """A watched program of `size` tasks that wait on locks, a share of which changes from snapshot to snapshot."""

    def __init__(self, number: int, size: int) -> None:
        self.instance = f"program-{number}"
        self._chance = random.Random(number)
        self._encoder = Encoder()
        self._sequence = 0
        new, now = UlidSource(), time.time_ns()
        self._locks = [
            Node(
                f"lock:{new.text(now)}",
                NodeKind.LOCK,
                f"Lock {place}",
                now,
                f"/app/db.py:{place}",
                providers=Providers.CLOSED,
            )
            for place in range(size // 5)
        ]
        frame = (Frame("main", "/app/main.py", 12, ""), Frame("get", "/app/db.py", 40, ""))
        self._tasks = [
            Node(
                f"task:{new.text(now)}",
                NodeKind.TASK,
                f"handler-{place}",
                now,
                "/app/main.py:30",
                wait=Wait("lock.acquire", now, "/app/db.py:40"),
                stack=frame,
                steps=1,
            )
            for place in range(size - len(self._locks))
        ]

    def body(self, share: float) -> tuple[bytes, int]:
        """An export request, and the nodes in it. The first is a key frame."""
        snapshot = self._snapshot(share)
        return self._request(self._encoder.encode(snapshot), snapshot.time_ns), len(snapshot.nodes)

    def repeated(self, different: int) -> Iterator[tuple[bytes, int]]:
        """A key frame, and then, again and again, the same snapshots of all tasks, each with another wait and another
        edge than the one before; made beforehand, for the sender must not be what takes the time."""
        yield self.body(1.0)
        bodies: list[tuple[bytes, int]] = []
        for _ in range(different):
            one = self._snapshot(1.0)
            bodies.append((self._encoder.encode(one), len(one.nodes)))  # at once: the next one changes the same nodes
        self._sequence -= different
        while True:
            for body, nodes in bodies:
                now, self._sequence = time.time_ns(), self._sequence + 1
                # Of a number that is there twice the last one counts.
                head = Message(sequence=self._sequence, time_unix_nano=now).SerializeToString()
                yield self._request(body + head, now), nodes

    def _snapshot(self, share: float) -> Snapshot:
        now, key = time.time_ns(), not self._sequence
        tasks = self._tasks if key else self._chance.sample(self._tasks, max(1, round(share * len(self._tasks))))
        for task in tasks:
            task.steps = (task.steps or 0) + 1
            assert task.wait is not None
            task.wait = Wait(task.wait.operation, now, task.wait.source)
        nodes = [*self._locks, *tasks] if key else tasks
        edges = [Edge(EdgeKind.NEEDS, task.id, self._chance.choice(self._locks).id, now) for task in tasks]
        self._sequence += 1
        return Snapshot(77, self._sequence, now, key, nodes, edges, interval_ns=_SECOND_NS, secret=5)

    def _request(self, body: bytes, now: int) -> bytes:
        request = ExportLogsServiceRequest()
        block = request.resource_logs.add()
        for name, value in ((semconv.SERVICE_NAME, "shop"), (semconv.SERVICE_INSTANCE_ID, self.instance)):
            block.resource.attributes.add(key=name).value.string_value = value
        record = block.scope_logs.add().log_records.add(time_unix_nano=now, event_name=semconv.EVENT_SNAPSHOT)
        record.body.bytes_value = body
        return request.SerializeToString()


class Changing:
    """A program of which each snapshot says something new of every task, sent as fast as they are answered."""

    def __init__(self, size: int) -> None:
        self._bodies = Program(0, size).repeated(3)

    def __call__(self, address: str, seconds: float) -> int:
        """Node updates sent and acknowledged."""
        host, _, port = address.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=120)
        end, sent = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            body, nodes = next(self._bodies)
            connection.request("POST", "/v1/logs", body, {"content-type": "application/x-protobuf"})
            response = connection.getresponse()
            told = response.read()
            assert response.status == 200, told
            sent += nodes
        return sent


class Programs:
    """Programs that send a snapshot in turn; each begins with a key frame. `pace_s`: between two of each program; 0: as
    fast as they are answered."""

    def __init__(self, count: int, size: int, share: float, pace_s: float) -> None:
        self._sources = [Program(number, size) for number in range(count)]
        self._share, self._pace_s = share, pace_s

    def __call__(self, address: str, seconds: float) -> int:
        """Node updates sent and acknowledged."""
        host, _, port = address.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=120)
        start, sent, turn = time.monotonic(), 0, 0
        while time.monotonic() < start + seconds:
            for source in self._sources:
                body, nodes = source.body(self._share)
                connection.request("POST", "/v1/logs", body, {"content-type": "application/x-protobuf"})
                response = connection.getresponse()
                response.read()
                assert response.status == 200, response.status
                sent += nodes
            turn += 1
            time.sleep(max(0.0, start + turn * self._pace_s - time.monotonic()))
        return sent


@dataclass
class Running:
    """A collector of its own, for one row."""

    pid: int
    otlp: str
    api: str
    database: Path

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.api}/health") as answer:
            return json.load(answer)

    def compiled(self) -> None:
        """Waits until spans are decoded to columns, where they can be: that is compiled once spans come."""
        until_s = time.monotonic() + _COMPILING_SECONDS
        while importlib.util.find_spec("numba") and time.monotonic() < until_s:
            if self.health()["span_decoder"] == "columns":
                return
            time.sleep(0.3)

    def settled(self) -> None:
        """Waits until nothing more is committed."""
        last, since = -1, time.monotonic()
        while time.monotonic() - since < 2.5:
            told = self.health()
            now = told["committed"]
            if now != last or told["pending_rows"]:
                last, since = now, time.monotonic()
            time.sleep(0.3)


@contextlib.contextmanager
def running() -> Generator[Running]:
    with tempfile.TemporaryDirectory(prefix="peeps-ingest-") as directory:
        database = Path(directory, "peeps.duckdb")
        program = [sys.executable, "-m", "peeps_collector"]
        started = CollectorProcess(
            program, Path(directory, "ready.json"), os.environ | WITHOUT_QUOTAS | on_free_ports(database)
        )
        try:
            told = started.wait()
            yield Running(started.process.pid, told["grpc"][0], told["api"], database)
        finally:
            started.process.terminate()
            started.process.wait()


Row = Callable[[str, float], int]
ROWS: dict[str, tuple[str, Callable[[], Row]]] = {
    "spans-http": ("spans", lambda: span_by_http),
    "spans-grpc": ("spans", lambda: span_by_grpc),
    "nodes": ("node updates", lambda: Changing(10_000)),
    "program-10000": ("node updates at 1 Hz, 1 % changing", lambda: Programs(1, 10_000, 0.01, 1)),
    "programs-100": ("node updates at 1 Hz, 1 % changing", lambda: Programs(100, 1_000, 0.01, 1)),
}


def measured(name: str, seconds: float) -> Iterator[str]:
    what, make = ROWS[name]
    row = make()
    with running() as collector:
        time.sleep(3)  # what it does by itself after its start
        row(collector.otlp, 2)
        if name.startswith("spans"):
            collector.compiled()
        collector.settled()
        before, begun = cpu_ns(collector.pid), time.monotonic()
        done = row(collector.otlp, seconds)
        took = time.monotonic() - begun
        collector.settled()
        cpu = (cpu_ns(collector.pid) - before) / 1e9
        size = sum(
            path.stat().st_size
            for path in collector.database.parent.glob(f"{collector.database.name}*")
            if path.is_file()
        )
        memory = resident_bytes(collector.pid) / 1e6
        commits = collector.health()["commit_ms"]
        yield (
            f"{name}: {done:,} {what}: {done / cpu:,.0f} per CPU second, {cpu:.2f} CPU s "
            f"({100 * cpu / took:.1f} % of a core), {done / took:,.0f} per second, "
            f"{memory:.0f} MB resident, file {size / 1e6:.1f} MB, commits {commits['count']}: median "
            f"{commits['p50']} ms, 99 % within {commits['p99']} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    for name in options.only:
        for line in measured(name, options.seconds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
