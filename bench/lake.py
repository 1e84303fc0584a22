# SPDX-License-Identifier: Apache-2.0
"""What many collectors ask of one lake: `python -m bench.lake [--collectors 1 2 4] [--processes 2500] [--seconds 30]`.

Needs the extra `peeps-collector[lake]` and PostgreSQL's programs. Each collector is a process of its own that ships the
rows of so many watched programs by the collector's own code, once a second, into one catalog and one folder: of each
program a snapshot a second, and of each that changes (`--changing`, a share) ten nodes, as rows of the tables. The rows
are made up; network, decoding and graph are not in it (bench.ingest has those). Prints one line a row.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import orjson

from peeps_collector.lake.connection import connect
from peeps_collector.lake.settings import LakeSettings
from peeps_collector.lake.shipping import Shipping
from peeps_collector.lake.spool import Spool
from peeps_collector.lake.upkeep import merge
from peeps_collector.store.arrow import to_arrow
from peeps_collector.store.schema import EDGE_CHANGE, NODE_CHANGE, SNAPSHOT, TABLES, Row, Table
from peeps_otel.model.ulid import UlidSource, ulid_text
from tests.support.databases import postgres
from tests.support.lake import new_database

_NODES = 10
_ULIDS = UlidSource()
_STACK = orjson.dumps([["main", "/srv/shop/app.py", 80, ""], ["move", "/srv/shop/books.py", 31, ""]]).decode()
_SECOND_NS = 1_000_000_000


def rows_of(process: str, nodes: list[str], sequence: int, changes: bool) -> dict[str, list[Row]]:
    """What one program adds in a second."""
    now_ns = time.time_ns()
    snapshot = {
        "process": process,
        "stream": "00000000000051ab",
        "sequence": sequence,
        "time_ns": now_ns,
        "received_ns": now_ns,
        "key_frame": False,
        "nodes": _NODES if changes else 0,
        "cpu_ns": 1_000_000,
        "interval_ns": _SECOND_NS,
        "bytes": 500,
    }
    found = {SNAPSHOT.name: [_row(SNAPSHOT, snapshot)]}
    if changes:
        common = {"time_ns": now_ns, "process": process}
        change = {"op": "upsert", "state": "waiting", "wait_operation": "lock.acquire", "wait_since_ns": now_ns}
        change |= {"wait_source": "/srv/shop/books.py:31", "steps": sequence, "stack": _STACK}
        edge = {"kind": "needs", "since_ns": now_ns, "source": "/srv/shop/books.py:31"}
        found[NODE_CHANGE.name] = [_row(NODE_CHANGE, common | change | {"node": node}) for node in nodes]
        found[EDGE_CHANGE.name] = [
            _row(EDGE_CHANGE, common | edge | {"op": op, "src": node, "dst": random.choice(nodes)})
            for node in nodes
            for op in ("add", "gone")
        ]
    return found


def _row(table: Table, values: dict[str, Any]) -> Row:
    return tuple(values.get(column) for column in table.columns)


def ship(settings: LakeSettings, processes: int, changing: float, seconds: float) -> dict[str, Any]:
    """One collector, for so long."""
    with tempfile.TemporaryDirectory() as folder:
        own = duckdb.connect()
        own.execute("CREATE TABLE meta (key VARCHAR, value VARCHAR)")
        spool = Spool(Path(folder), own, 1 << 40)
        shipping = Shipping(Path(folder), spool.shard, settings)
        shipping.turn()
        nodes = {f"shop-{n}-{spool.shard}": [_node() for _ in range(_NODES)] for n in range(processes)}
        took: list[float] = []
        cpu_s, rows, sequence, until = 0.0, 0, 0, time.monotonic() + seconds
        while time.monotonic() < until:
            begun, sequence = time.monotonic(), sequence + 1
            tables: dict[str, list[Row]] = {}
            for process, its in nodes.items():
                for name, some in rows_of(process, its, sequence, random.random() < changing).items():
                    tables.setdefault(name, []).extend(some)
            before = time.process_time()
            own.execute("BEGIN")
            for name, some in tables.items():
                spool.add(name, to_arrow(TABLES[name], some)[0])
            spool.write(own)
            own.execute("COMMIT")
            spool.settle(own)
            at = time.monotonic()
            rows += shipping.turn().rows
            took.append(time.monotonic() - at)
            cpu_s += time.process_time() - before
            time.sleep(max(0.0, random.uniform(0.8, 1.2) - (time.monotonic() - begun)))
        shipping.forget()
        return {"rows": rows, "commits": len(took), "took": sorted(took), "cpu_s": cpu_s}


def _node() -> str:
    return f"task:{ulid_text(_ULIDS.new())}"


def measure(port: int, collectors: int, processes: int, changing: float, seconds: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        settings = LakeSettings(new_database(port), folder)
        Shipping(Path(folder, "none"), "none", settings).connection.close()  # its tables
        given = [settings.text(), str(processes), str(changing), str(seconds)]
        words = [sys.executable, "-m", "bench.lake", "--ship", *given]
        started = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(collectors)]
        found: list[dict[str, Any]] = [json.loads(one.communicate()[0]) for one in started]
        files, size = _files(folder)
        lake = connect(settings)
        reads_s = _seconds(lake, "SELECT count(*), max(time_ns) FROM node_change")
        begun = time.monotonic()
        merge(lake, -1.0)
        merged_s = time.monotonic() - begun
        after, small = _files(folder)
        again_s = _seconds(lake, "SELECT count(*), max(time_ns) FROM node_change")
        lake.close()
    took = sorted(second for one in found for second in one["took"])
    rows, commits = sum(one["rows"] for one in found), sum(one["commits"] for one in found)
    hour = small / (collectors * processes * seconds) * 3600
    return (
        f"{collectors} collectors of {processes} programs: {rows / seconds:,.0f} rows/s, "
        f"{commits / seconds:.1f} commits/s, p50 {took[len(took) // 2] * 1000:.0f} ms, max {took[-1] * 1000:.0f} ms, "
        f"{sum(one['cpu_s'] for one in found) / collectors / seconds * 100:.1f} % of a core each; "
        f"{files} files of {size / 1e6:.1f} MB, merged in {merged_s:.1f} s into {after} of {small / 1e6:.1f} MB "
        f"({hour / 1000:.0f} kB a program and hour); a count before {reads_s * 1000:.0f} ms, "
        f"after {again_s * 1000:.0f} ms"
    )


def _files(folder: str) -> tuple[int, int]:
    sizes = [path.stat().st_size for path in Path(folder).rglob("*.parquet")]
    return len(sizes), sum(sizes)


def _seconds(lake: duckdb.DuckDBPyConnection, statement: str) -> float:
    begun = time.monotonic()
    lake.execute(statement).fetchall()
    return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collectors", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--processes", type=int, default=2500)
    parser.add_argument("--changing", type=float, default=0.1)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--ship", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ship:
        text, processes, changing, seconds = options.ship
        result = ship(LakeSettings.of(text), int(processes), float(changing), float(seconds))
        os.write(sys.stdout.fileno(), json.dumps(result).encode())
        return
    with postgres() as port:
        if port is None:
            raise SystemExit("there is no PostgreSQL here")
        for count in options.collectors:
            print(measure(port, count, options.processes, options.changing, options.seconds), flush=True)


if __name__ == "__main__":
    main()
