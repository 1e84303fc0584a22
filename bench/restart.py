# SPDX-License-Identifier: Apache-2.0
"""How long a start takes after a kill: `python -m bench.restart [--megabytes 200]`.

A collector is sent changes of nodes until DuckDB's log is so large, is killed, and started again on the same files.
From the start of the process until it listens, beside that of one with an empty database.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from scripts.collector_process import CollectorProcess, on_free_ports

from .ingest import WITHOUT_QUOTAS, Program
from .steady import cpu_ns


def _started(database: Path, ready: str) -> tuple[CollectorProcess, str, float, float]:
    """With where it takes OTLP, and how long it took to listen: by the clock, and of processor time."""
    begun_s = time.monotonic()
    program = [sys.executable, "-m", "peeps_collector"]
    collector = CollectorProcess(
        program, database.with_name(ready), os.environ | WITHOUT_QUOTAS | on_free_ports(database)
    )
    otlp = collector.wait(120)["grpc"][0]
    return collector, otlp, time.monotonic() - begun_s, cpu_ns(collector.process.pid) / 1e9


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="peeps-restart-") as directory:
        database = Path(directory, "peeps.duckdb")
        log = Path(f"{database}.wal")
        collector, otlp, empty_s, empty_cpu_s = _started(database, "first.json")
        host, _, port = otlp.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=120)
        most = 0
        for body, _ in Program(0, 10_000).repeated(3):
            connection.request("POST", "/v1/logs", body, {"content-type": "application/x-protobuf"})
            connection.getresponse().read()
            time.sleep(0.05)
            if _bytes(log) < most:
                raise SystemExit("a checkpoint came first: try again with fewer megabytes")
            most = _bytes(log)
            if most >= options.megabytes << 20:
                break
        journal = sum(path.stat().st_size for path in Path(f"{database}.journal").glob("*"))
        collector.process.send_signal(signal.SIGKILL)
        collector.process.wait()
        collector, _, again_s, again_cpu_s = _started(database, "second.json")
        print(
            f"{most / 1e6:.0f} MB of log and {journal / 1e6:.0f} MB of journal: {again_s:.1f} s, {again_cpu_s:.1f} s "
            f"of processor time; empty: {empty_s:.1f} s, {empty_cpu_s:.1f} s"
        )
        collector.process.terminate()
        collector.process.wait()


if __name__ == "__main__":
    main()
