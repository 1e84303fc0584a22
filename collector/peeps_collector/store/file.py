# SPDX-License-Identifier: Apache-2.0
"""Opening the database file: settings, schema, what an earlier run left open, and the lock-down for readers."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import duckdb
import orjson

from ..version import __version__
from .schema import SCHEMA_VERSION, TABLES

_HISTORY = 200
_MEMORY = re.compile(r"^\d+(\.\d+)?\s*(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$", re.IGNORECASE)


class StoreError(RuntimeError):
    """The database file cannot be used; the message says why and what to do."""


def open_database(path: str, memory: str) -> duckdb.DuckDBPyConnection:
    """The one connection that writes; readers take cursors of it. Raises StoreError.

    After this no statement can touch another file or change a setting, whoever sends it.
    """
    if not _MEMORY.match(memory):
        raise StoreError(f"PEEPS_DB_MEMORY={memory!r} is not a size such as 1GB")
    existed = Path(path).exists()
    try:
        # DuckDB 2 would write a format that 1.5 cannot read.
        connection = duckdb.connect(path, config={"storage_compatibility_version": "v1.5.0"})
    except duckdb.Error as error:
        text = str(error)
        advice = (
            "another program has it open; stop it, or set PEEPS_DB to another file"
            if "lock" in text.lower()
            else "set PEEPS_DB to another file, or move this one away"
        )
        raise StoreError(f"cannot open the database {path}: {advice} ({text.splitlines()[0]})") from None
    try:
        connection.execute("SET checkpoint_threshold='256MB'")  # 16 MB, the default, stalls the writer
        connection.execute("SET python_enable_replacements=false")
        connection.execute(f"SET memory_limit='{memory}'")
        _schema(connection, path, existed)
        _end_what_was_open(connection)
        connection.execute("SET enable_external_access=false")
        connection.execute("SET lock_configuration=true")
    except BaseException:
        connection.close()
        raise
    return connection


def ended_findings(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The newest findings of earlier runs as JSON objects, newest first."""
    rows = connection.execute(
        "SELECT detail::VARCHAR, state FROM finding WHERE state <> 'open' ORDER BY last_seen_ns DESC LIMIT ?",
        [_HISTORY],
    ).fetchall()
    return [orjson.loads(detail) | {"state": state} for detail, state in rows]


def _schema(connection: duckdb.DuckDBPyConnection, path: str, existed: bool) -> None:
    present = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not present:
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE meta (key VARCHAR, value VARCHAR)")
        connection.execute(
            "INSERT INTO meta VALUES ('schema_version', ?), ('created_by', ?), ('created_ns', ?)",
            [str(SCHEMA_VERSION), f"peeps-collector {__version__}", str(time.time_ns())],
        )
        for table in TABLES.values():
            connection.execute(table.create)
        connection.execute("COMMIT")
        return
    found = None
    if "meta" in present:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        found = None if row is None else str(row[0])
    if found != str(SCHEMA_VERSION):
        what = "is not a database of peeps" if found is None else f"has schema version {found}"
        raise StoreError(
            f"{path} {what}; this collector writes version {SCHEMA_VERSION}. "
            "Move the file away, or set PEEPS_DB to another one; nothing was changed in it."
        )


def _end_what_was_open(connection: duckdb.DuckDBPyConnection) -> None:
    """A run that was killed left nodes, processes and findings open; this run does not know their end."""
    connection.execute("BEGIN")
    connection.execute("UPDATE finding SET state = 'resolved' WHERE state = 'open'")
    connection.execute("UPDATE process SET state = 'gone' WHERE state IN ('live', 'silent')")
    connection.execute(
        """INSERT INTO node_change (time_ns, process, node, op)
           SELECT (SELECT max(time_ns) FROM node_change), process, node, 'lost'
           FROM (SELECT process, node, arg_max(op, rowid) AS op FROM node_change GROUP BY ALL) WHERE op = 'upsert'"""
    )
    connection.execute(
        """INSERT INTO edge_change
           SELECT (SELECT max(time_ns) FROM edge_change), process, 'lost', kind, src, dst, since_ns, source, confidence,
                  cancels
           FROM (SELECT *, row_number() OVER (PARTITION BY process, kind, src, dst ORDER BY rowid DESC) AS place
                 FROM edge_change) WHERE place = 1 AND op = 'add'"""
    )
    connection.execute("COMMIT")
