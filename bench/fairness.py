# SPDX-License-Identifier: Apache-2.0
"""`python -m bench.fairness`: how long a small request waits while another sender sends the worst that is allowed.

One collector; one sender of five spans every 10 ms, whose answers are timed; beside it, one after the other, a JSON
body of 40 MiB, 400,000 equal log records in 29 KiB, and the key frame of a program with 100,000 waiting tasks, twice.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from peeps_otel.model import Node, NodeKind, Snapshot, Wait
from peeps_otel.model.ulid import UlidSource, ulid_text
from peeps_otel.model.wire import Encoder
from scripts.collector_process import CollectorProcess, Ended, on_free_ports

_SPACING_S = 0.01
_AFTER_S = 2.0  # what a request brings with it: storing, the diagnosis
_ULIDS = UlidSource()


def _resource(name: str) -> Resource:
    value = AnyValue(string_value=name)
    return Resource(attributes=[KeyValue(key=key, value=value) for key in ("service.name", "service.instance.id")])


def _small() -> bytes:
    attributes = [KeyValue(key=f"k{n}", value=AnyValue(string_value=f"v{n}")) for n in range(10)]
    spans = [
        Span(trace_id=os.urandom(16), span_id=os.urandom(8), name="s", end_time_unix_nano=1, attributes=attributes)
        for _ in range(5)
    ]
    block = ResourceSpans(resource=_resource("small"), scope_spans=[ScopeSpans(spans=spans)])
    return ExportTraceServiceRequest(resource_spans=[block]).SerializeToString()


def _json() -> bytes:
    attributes = [{"key": f"k{n}", "value": {"stringValue": f"v{n}"}} for n in range(10)]
    span = json.dumps({"traceId": "1" * 32, "spanId": "1" * 16, "name": "s", "attributes": attributes})
    spans = ",".join([span] * ((40 << 20) // (len(span) + 1)))
    return f'{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{spans}]}}]}}]}}'.encode()


def _logs(name: str, records: list[LogRecord]) -> bytes:
    block = ResourceLogs(resource=_resource(name), scope_logs=[ScopeLogs(log_records=records)])
    return ExportLogsServiceRequest(resource_logs=[block]).SerializeToString()


def _equal_rows() -> bytes:
    record = LogRecord(event_name="e", time_unix_nano=1, body=AnyValue(string_value="x"))
    return gzip.compress(_logs("equal", [record] * 400_000))


def _key_frames() -> Callable[[], bytes]:
    encoder, wait = Encoder(), Wait("sleep", 1, "app.py:3")
    nodes = [
        Node(f"task:{ulid_text(_ULIDS.new())}", NodeKind.TASK, f"t{n}", 1, f"app.py:{n % 1000}", wait=wait)
        for n in range(100_000)
    ]
    sequence = 0

    def make() -> bytes:
        nonlocal sequence
        sequence += 1
        body = encoder.encode(Snapshot(7, sequence, time.time_ns(), True, nodes, interval_ns=1_000_000_000))
        return _logs("large", [LogRecord(event_name="peeps.snapshot", body=AnyValue(bytes_value=body))])

    return make


def _post(connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]) -> None:
    connection.request("POST", path, body, {"content-type": "application/x-protobuf"} | headers)
    response = connection.getresponse()
    text = response.read()
    if response.status != 200:
        raise SystemExit(f"{path}: {response.status} {text[:200]!r}")


class _Victim:
    """Sends small requests until it is stopped."""

    def __init__(self, address: str) -> None:
        self.answers: list[tuple[float, float]] = []  # when it was sent, how long it took, in seconds
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def tell(self, name: str, begun: float) -> None:
        took = sorted(1000 * seconds for at, seconds in self.answers if at >= begun)
        p99 = took[int(0.99 * len(took))]
        print(f"{name:24} {len(took):6,} {took[len(took) // 2]:7.1f} {p99:7.1f} {took[-1]:7.1f}", flush=True)

    def _run(self) -> None:
        connection, body = http.client.HTTPConnection(self._address, timeout=300), _small()
        while not self._stop.wait(_SPACING_S):
            begun = time.perf_counter()
            _post(connection, "/v1/traces", body, {})
            self.answers.append((begun, time.perf_counter() - begun))
        connection.close()


def main() -> int:
    frame = _key_frames()
    compressed = {"content-encoding": "gzip"}
    cases: list[tuple[str, str, Callable[[], bytes], dict[str, str]]] = [
        ("JSON of 40 MiB", "/v1/traces", _json, {"content-type": "application/json"}),
        ("400,000 equal rows", "/v1/logs", _equal_rows, compressed),
        ("key frame of 100,000", "/v1/logs", frame, {}),
        ("the next key frame", "/v1/logs", frame, {}),
    ]
    with tempfile.TemporaryDirectory() as place:
        variables = os.environ | on_free_ports(Path(place, "peeps.duckdb"))
        program = [sys.executable, "-m", "peeps_collector"]
        collector = CollectorProcess(program, Path(place, "ready.json"), variables)
        try:
            try:
                address: str = collector.wait()["http"][0]
            except Ended as ended:
                raise SystemExit(str(ended)) from None
            print(f"{'beside':24} {'n':>6} {'p50 ms':>7} {'p99 ms':>7} {'max ms':>7}")
            victim = _Victim(address)
            try:
                begun = time.perf_counter()
                time.sleep(2 * _AFTER_S)
                victim.tell("nobody", begun)
                for name, path, make, headers in cases:
                    body, hostile = make(), http.client.HTTPConnection(address, timeout=300)
                    begun = time.perf_counter()
                    _post(hostile, path, body, headers)
                    time.sleep(_AFTER_S)
                    victim.tell(name, begun)
                    hostile.close()
            finally:
                victim.stop()
        finally:
            collector.process.terminate()
            collector.process.wait(60)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
