# SPDX-License-Identifier: Apache-2.0
"""A recording: the whole database as one file, made while the collector goes on, and opened somewhere else."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import duckdb
import orjson

from peeps_otel import semconv
from peeps_otel.dump.dump import Dump
from peeps_otel.model import Edge
from peeps_otel.model.jsonable import finding_to_json, node_to_json

from ..decode.canonical import Rejected, source_text_of
from ..decode.logs import SourceTextRecord
from ..decode.resource import ProcessInfo
from ..decode.values import json_text
from ..graph.changes import Changes
from .database import Database
from .file import StoreError, open_database
from .schema import TABLES

_SECONDS = 120.0
_MEMORY = "1GB"
# By another process: closing the file in this one would drop the lock on it (lease.py).
_COPY = "import shutil, sys; [shutil.copyfile(a, b) for a, b in zip(sys.argv[1::2], sys.argv[2::2])]"


def copy_to(database: Database, target: Path) -> None:
    """All that is committed. Raises StoreError; the file may then be there in part."""
    log = Path(f"{database.path}.wal")
    copies = [database.path, str(target)]
    database.before_reading()
    database.leases.checkpoint()
    try:
        with database.leases.reading():
            if log.is_file():
                copies += [str(log), f"{target}.wal"]
            subprocess.run([sys.executable, "-c", _COPY, *copies], check=True, timeout=_SECONDS, capture_output=True)
        # The log becomes part of it.
        with duckdb.connect(str(target), config={"storage_compatibility_version": "v1.5.0"}) as copied:
            copied.execute("CHECKPOINT")
    except (OSError, subprocess.SubprocessError, duckdb.Error) as error:
        raise StoreError(f"the database cannot be copied: {str(error).splitlines()[0]}") from None


def last_moment(path: str) -> int:
    """Of what is recorded, Unix epoch ns. Raises StoreError."""
    try:
        with duckdb.connect(path, read_only=True) as connection:
            row = connection.execute(
                "SELECT max(time_ns) FROM (SELECT time_ns FROM node_change WHERE op <> 'lost' UNION ALL "
                "SELECT time_ns FROM snapshot)"
            ).fetchone()
    except duckdb.Error as error:
        raise StoreError(f"{path} is no recording: {str(error).splitlines()[0]}") from None
    if row is None or row[0] is None:
        raise StoreError(f"nothing is recorded in {path}")
    return int(row[0])


def past_processes(connection: duckdb.DuckDBPyConnection) -> list[tuple[ProcessInfo, int, int]]:
    """Those that a recording knows, with when they were first and last heard of."""
    rows = connection.execute(
        "SELECT process, service, pid, host, runtime, resource::VARCHAR, first_seen_ns, last_seen_ns FROM process"
    ).fetchall()
    return [
        (
            ProcessInfo(key, service or "", pid, host or "", runtime or "", orjson.loads(resource) if resource else {}),
            first_ns,
            last_ns,
        )
        for key, service, pid, host, runtime, resource, first_ns, last_ns in rows
    ]


def past_texts(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, SourceTextRecord]]:
    """The lines of source that processes told, the oldest first."""
    rows = connection.execute(
        "SELECT process, attributes::VARCHAR, body FROM log WHERE event_name = ? ORDER BY time_ns, rowid",
        [semconv.EVENT_SOURCE_TEXT],
    ).fetchall()
    found: list[tuple[str, SourceTextRecord]] = []
    for process, attributes, body in rows:
        with contextlib.suppress(Rejected):
            found.append((process, SourceTextRecord(*source_text_of(orjson.loads(attributes), body))))
    return found


def from_dump(dump: Dump, target: Path) -> None:
    """A recording of the one moment that a dump is of. Raises StoreError."""
    at_ns = dump.time_ns
    connection = open_database(str(target), _MEMORY)
    rows: dict[str, list[tuple[object, ...]]] = {
        "process": [
            (p.id, p.service, p.pid or None, p.host, "", "gone", at_ns, at_ns, json_text(_resource(p.directory)))
            for p in dump.processes
        ],
        "snapshot": [
            (p.id, "0" * 16, 2, at_ns, at_ns, True, len(dump.nodes), 0, 0, 0, 0, 0, 0, 0, p.coverage, [])
            for p in dump.processes
        ],
        **_graph(dump),
        "finding": [_finding(dump, number) for number in range(len(dump.findings))],
    }
    try:
        connection.execute("BEGIN")
        for name, some in rows.items():
            if some:
                marks = ", ".join("?" * len(TABLES[name].columns))
                connection.executemany(f"INSERT INTO {name} VALUES ({marks})", some)
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise StoreError(f"the dump cannot be opened: {str(error).splitlines()[0]}") from None
    finally:
        connection.close()


def _resource(directory: str) -> dict[str, str]:
    return {semconv.PROCESS_WORKING_DIRECTORY: directory} if directory else {}


def _graph(dump: Dump) -> dict[str, list[tuple[object, ...]]]:
    """Its nodes and edges as all new, by table."""
    out: dict[str, list[Edge]] = {}
    for edge in dump.edges:
        out.setdefault(edge.src, []).append(edge)
    of_processes: dict[str, Changes] = {}
    for node_id in dict.fromkeys((*dump.nodes, *out)):
        owner, node = dump.owner.get(node_id, ""), dump.nodes.get(node_id)
        changes = of_processes.setdefault(owner, Changes(owner, dump.time_ns))
        if node is None:
            changes.relink((), out[node_id])
        else:
            changes.upsert(None, node, (), tuple(out.get(node_id, ())))
    found: dict[str, list[tuple[object, ...]]] = {}
    for changes in of_processes.values():
        for name, rows in changes.rows.items():
            found.setdefault(name, []).extend(rows)
    return found


def _finding(dump: Dump, number: int) -> tuple[object, ...]:
    finding, processes = dump.findings[number]
    named = [one for one in (*finding.core, *finding.blocked[:50]) if one in dump.nodes]
    sources = {place: text for one in processes for place, text in dump.sources.get(one, {}).items()}
    told = finding_to_json(finding) | {
        "state": "resolved",
        "blocked_count": len(finding.blocked),
        "processes": processes,
        "reported_by": [],
        "first_seen_ns": finding.since_ns,
        "last_seen_ns": dump.time_ns + 1,
        "nodes": {one: node_to_json(dump.nodes[one]) | {"process": dump.owner[one]} for one in named},
        "sources": sources,
    }
    return (
        *(finding.id, finding.kind.value, finding.level.value, "resolved", finding.title),
        *(finding.since_ns, finding.since_ns, dump.time_ns + 1, processes, finding.core),
        *(len(finding.blocked), finding.advice, json_text(told)),
    )
