# SPDX-License-Identifier: Apache-2.0
"""Opening the database file: settings, schema, what an earlier run left open, and the lock-down for readers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import orjson

from ..version import __version__
from .schema import SCHEMA_VERSION, TABLES

_HISTORY = 200
_LOG_HEAD = b"d\0"
_DAMAGE = ("orrupt", "checksum", "Could not read enough bytes", "deserializ", "Serialization")
_MIGRATED = {"1"}  # versions that only lack tables and columns
_MEMORY = re.compile(r"^\d+(\.\d+)?\s*(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$", re.IGNORECASE)


class StoreError(RuntimeError):
    """The database file cannot be used; the message says why and what to do."""


def open_database(
    path: str, memory: str, warnings: list[str] | None = None, *, again: bool = False
) -> duckdb.DuckDBPyConnection:
    """The one connection that writes; readers take cursors of it. Raises StoreError. A file of DuckDB that is damaged
    is moved aside, never deleted, and a new one begun: `warnings` is then told. `again`: by the same run, which
    knows what is open.

    After this no statement can touch another file or change a setting, whoever sends it.
    """
    if not _MEMORY.match(memory):
        raise StoreError(f"PEEPS_DB_MEMORY={memory!r} is not a size such as 1GB")
    warnings = [] if warnings is None else warnings
    _move_garbage_log(Path(f"{path}.wal"), warnings)
    try:
        connection = _connect(path)
    except Exception as error:  # for damage DuckDB has an exception outside of its own hierarchy, too
        words = str(error).splitlines()[0]
        if "set lock" in words or "Conflicting lock" in words:
            advice = "another program has it open; stop it, or set PEEPS_DB to another file"
            raise StoreError(f"cannot open the database {path}: {advice} ({words})") from None
        if not _is_damaged(Path(path), str(error)):
            advice = "set PEEPS_DB to another file, or move this one away"
            raise StoreError(f"cannot open the database {path}: {advice} ({words})") from None
        warnings.append(_set_aside(Path(path), words))
        connection = _connect(path)
    try:
        connection.execute("SET checkpoint_threshold='1TB'")  # lease.py says when
        connection.execute("SET enable_progress_bar=false")
        connection.execute("SET python_enable_replacements=false")
        connection.execute(f"SET memory_limit='{memory}'")
        _schema(connection, path)
        if not again:
            end_what_was_open(connection)
        connection.execute("SET enable_external_access=false")
        connection.execute("SET lock_configuration=true")
    except duckdb.OutOfMemoryException as error:
        connection.close()
        words = str(error).splitlines()[0]
        raise StoreError(
            f"PEEPS_DB_MEMORY={memory} is too little for the database {path}: set more ({words})"
        ) from None
    except duckdb.Error as error:
        connection.close()
        words = str(error).splitlines()[0]
        raise StoreError(f"the database {path} cannot be used: {words}; set PEEPS_DB to another file") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: str) -> duckdb.DuckDBPyConnection:
    # DuckDB 2 would write a format that 1.5 cannot read.
    return duckdb.connect(path, config={"storage_compatibility_version": "v1.5.0"})


def _is_damaged(path: Path, words: str) -> bool:
    """Whether it was a file of DuckDB once: of nothing else do we dispose. A version that is too new is no damage."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[8:12] == b"DUCK" and any(sign in words for sign in _DAMAGE)


def _set_aside(path: Path, words: str) -> str:
    aside = f"{path}.corrupt-{time.time_ns()}"
    path.replace(aside)
    log = Path(f"{path}.wal")
    if log.exists():
        log.replace(f"{aside}.wal")
    return f"the database {path} is corrupt ({words}): moved to {aside}, a new one was begun"


def _move_garbage_log(log: Path, warnings: list[str]) -> None:
    """DuckDB passes over a write-ahead log that is none, without a word."""
    try:
        with log.open("rb") as file:
            head = file.read(2)
        if len(head) == 2 and head.strip(b"\0") and head != _LOG_HEAD:
            aside = f"{log}.damaged-{time.time_ns()}"
            log.replace(aside)
            warnings.append(f"{log} is not a write-ahead log of DuckDB: moved to {aside}; what was in it is not known")
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"cannot read {log}: {error.strerror}") from None


ENDED_FINDINGS = (
    "SELECT detail::VARCHAR, state, last_seen_ns FROM finding WHERE state <> 'open' ORDER BY last_seen_ns DESC "
    f"LIMIT {_HISTORY}"
)


def ended_findings(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The newest findings of earlier runs as JSON objects, newest first."""
    return findings_of(connection.execute(ENDED_FINDINGS).fetchall())


def findings_of(rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """What `ENDED_FINDINGS` has found, as JSON objects."""
    return [orjson.loads(detail) | {"state": state, "last_seen_ns": last_ns} for detail, state, last_ns in rows]


def _schema(connection: duckdb.DuckDBPyConnection, path: str) -> None:
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
    if found in _MIGRATED:
        connection.execute("BEGIN")
        for table in TABLES.values():
            if table.name not in present:
                connection.execute(table.create)
            for statement in table.missing:
                connection.execute(statement)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(SCHEMA_VERSION)])
        connection.execute("COMMIT")
        return
    lacking = sorted(TABLES.keys() - present)
    if found == str(SCHEMA_VERSION) and lacking:
        raise StoreError(
            f"{path} has only half of its tables: {', '.join(lacking)} is missing. Move the file away, or set PEEPS_DB "
            "to another one; nothing was changed in it."
        )
    if found != str(SCHEMA_VERSION):
        what = "is not a database of peeps" if found is None else f"has schema version {found}"
        raise StoreError(
            f"{path} {what}; this collector writes version {SCHEMA_VERSION}. "
            "Move the file away, or set PEEPS_DB to another one; nothing was changed in it."
        )


_LAST_WORD = (
    "(SELECT greatest(coalesce((SELECT max(time_ns) FROM snapshot), 0), (SELECT max(time_ns) FROM {table})) + 1)"
)


def end_what_was_open(connection: duckdb.DuckDBPyConnection) -> None:
    """A run that was killed left nodes, processes and findings open; this run does not know their end."""
    connection.execute("BEGIN")
    # It was open as long as its processes were heard of: a row is only written when something about it changes.
    connection.execute(
        """UPDATE finding SET state = 'resolved', last_seen_ns = greatest(last_seen_ns, coalesce(
             (SELECT max(greatest(s.received_ns, s.time_ns)) + 1 FROM snapshot AS s
              WHERE list_contains(finding.processes, s.process)), last_seen_ns)) WHERE state = 'open'"""
    )
    connection.execute(
        """UPDATE process SET state = 'gone' WHERE state IN ('live', 'silent')
           OR (state = 'foreign' AND process IN (SELECT process FROM snapshot))"""
    )
    # They were there up to the last snapshot, in which nothing may have changed.
    connection.execute(
        f"""INSERT INTO node_change (time_ns, process, node, op)
           SELECT {_LAST_WORD.format(table="node_change")}, process, node, 'lost'
           FROM (SELECT process, node, arg_max(op, rowid) AS op FROM node_change GROUP BY ALL) WHERE op = 'upsert'"""
    )
    connection.execute(
        f"""INSERT INTO edge_change
           SELECT {_LAST_WORD.format(table="edge_change")}, process, 'lost', kind, src, dst, since_ns, source,
                  confidence, cancels
           FROM (SELECT *, row_number() OVER (PARTITION BY process, kind, src, dst ORDER BY rowid DESC) AS place
                 FROM edge_change) WHERE place = 1 AND op = 'add'"""
    )
    connection.execute("COMMIT")
