# SPDX-License-Identifier: Apache-2.0
"""What each part of the way into the file costs: `python -m bench.ingest_phases [nodes|spans] [--rounds 3]`.

The parts of a collector in this process, without network and journal, one after the other; processor time of all
threads, for each node update or span, least and most of the rounds. Every snapshot says something new of every task; a
transaction is of ten snapshots or a hundred requests. A collector that is busy looks less often than here.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from peeps_collector.decode.columns.spans import SpanColumns, example
from peeps_collector.diagnose import Diagnosis, IncrementalDiagnoser
from peeps_collector.graph.batch import batch_steps
from peeps_collector.graph.findings import FindingRegistry
from peeps_collector.graph.live import LiveGraph
from peeps_collector.pipeline import Pipeline
from peeps_collector.quotas import Quota, Quotas
from peeps_collector.receive.request import Budget, Encoding, Signal
from peeps_collector.store.buffer import RowBuffer
from peeps_collector.store.database import Database
from peeps_collector.store.writer import Writer
from peeps_otel.model.wire_decoder import parsed

from .ingest import Program, span_bodies

_NODES, _SNAPSHOTS, _A_TRANSACTION = 10_000, 20, 10
_REQUESTS, _REQUESTS_A_TRANSACTION, _SPANS = 200, 100, 512
_MUCH = 10**15


class Parts:
    """A collector without its threads."""

    def __init__(self, folder: str) -> None:
        self.database = Database(str(Path(folder, "peeps.duckdb")), "1GB")
        rows = RowBuffer(_MUCH)
        self.writer = Writer(self.database, rows, 24.0)
        quotas = Quotas(Quota(_MUCH, _MUCH))
        live = LiveGraph(rows, quotas=quotas)
        findings = FindingRegistry(live, rows, [], "")
        self.diagnosis = Diagnosis(live, findings, IncrementalDiagnoser())
        decoder = self._decoder = SpanColumns()
        self.decode(example())
        self._pipeline = Pipeline(
            Budget(_MUCH), live, findings, self.diagnosis, rows, span_columns=lambda: decoder, quotas=quotas
        )

    def decode(self, body: bytes) -> None:
        """A request of spans, and nothing more."""
        _all_of(self._decoder.steps(body, 1))

    def take(self, signal: Signal, body: bytes) -> None:
        outcome = self._pipeline.handle(signal, Encoding.PROTOBUF, body)
        assert not outcome.message, outcome.message


class Clock:
    """Processor time by part."""

    def __init__(self) -> None:
        self.of: dict[str, float] = {}

    def __call__(self, part: str, work: Callable[..., object], *given: Any) -> None:
        begun_s = time.process_time()
        work(*given)
        self.of[part] = self.of.get(part, 0.0) + time.process_time() - begun_s


def _all_of(steps: Iterator[object]) -> None:
    for _ in steps:
        pass


def _read(body: bytes) -> None:
    request = ExportLogsServiceRequest.FromString(body)
    _all_of(batch_steps(parsed(request.resource_logs[0].scope_logs[0].log_records[0].body.bytes_value)))


def nodes(parts: Parts, clock: Clock) -> int:
    """Returns how many there were."""
    bodies, count = Program(0, _NODES).repeated(3), 0
    for _ in range(3):
        parts.take(Signal.LOGS, next(bodies)[0])
        parts.diagnosis.step()
    parts.writer.flush()
    parts.database.leases.checkpoint()
    told = [next(bodies) for _ in range(_SNAPSHOTS)]
    gc.freeze()
    for body, _ in told:
        clock("of the next one, reading and checking columns", _read, body)
    for number, (body, updates) in enumerate(told, 1):
        count += updates
        clock("taken into the graph, its history as columns", parts.take, Signal.LOGS, body)
        clock("a look of the diagnosis at each snapshot", parts.diagnosis.step)
        if number % _A_TRANSACTION == 0:
            clock("inserted and committed", parts.writer.flush)
    clock("checkpoint", parts.database.leases.checkpoint)
    return count


def spans(parts: Parts, clock: Clock) -> int:
    """Returns how many there were."""
    bodies = span_bodies()
    for body in bodies:
        parts.take(Signal.TRACES, body)
    parts.writer.flush()
    parts.database.leases.checkpoint()
    gc.freeze()
    told = [bodies[number % len(bodies)] for number in range(_REQUESTS)]
    for body in told:
        clock("of the next one, decoding to columns", parts.decode, body)
    for number, body in enumerate(told, 1):
        clock("taken in", parts.take, Signal.TRACES, body)
        if number % _REQUESTS_A_TRANSACTION == 0:
            clock("inserted and committed", parts.writer.flush)
    clock("checkpoint", parts.database.leases.checkpoint)
    return _REQUESTS * _SPANS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["nodes", "spans"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for what in [options.what] if options.what else ["nodes", "spans"]:
        found: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            clock = Clock()
            with tempfile.TemporaryDirectory(prefix="peeps-phases-") as folder:
                parts = Parts(folder)
                count = {"nodes": nodes, "spans": spans}[what](parts, clock)
                parts.database.close()
            for part, took_s in clock.of.items():
                found.setdefault(part, []).append(took_s / count * 1e6)
        for part, each in found.items():
            print(f"{what}: {part}: {min(each):.2f} to {max(each):.2f} µs")


if __name__ == "__main__":
    main()
