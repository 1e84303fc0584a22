# SPDX-License-Identifier: Apache-2.0
"""Batches of a spool into the lake: many in one transaction, and each once.

Each row says of which batch it is, so the newest batch that the lake has of a collector is known by its rows: they
and the mark are one commit, and where nobody knows whether a commit got through, the lake is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ..store.schema import TABLES
from .connection import connect, create
from .endings import end_what_was_open
from .members import Members
from .settings import LakeSettings
from .spool import Batch, read, waiting
from .tables import ORIGIN, stored_in

_AT_ONCE_BYTES = 32 << 20
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Shipped:
    """What one transaction brought. `more`: there are others."""

    batches: int
    rows: int
    more: bool


class Shipping:
    """Belongs to one thread, of a process of its own. `turn` raises duckdb.Error, psycopg.Error, LakeError, OSError:
    the next one begins with a new connection."""

    def __init__(self, folder: Path, shard: str, settings: LakeSettings) -> None:
        self._folder = folder
        self._shard = shard
        self._settings = settings
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._mark = 0

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """A new one where there is none. Its tables are there."""
        if self._connection is None:
            members = Members(self._settings.catalog)
            try:
                with members.creating():
                    connection = connect(self._settings)
                    create(connection)
            finally:
                members.close()
            self._mark = mark_of(connection, self._shard)
            self._connection = connection
        return self._connection

    def turn(self) -> Shipped:
        """Ships some of what waits."""
        try:
            connection = self.connection
            batches, more = self._batches()
            rows = _ship(connection, self._shard, batches) if batches else 0
        except BaseException:
            self.forget()
            raise
        for batch in batches:
            self._mark = batch.number
            (self._folder / f"{batch.number:020d}.batch").unlink(missing_ok=True)
        return Shipped(len(batches), rows, more)

    def forget(self) -> None:
        """The connection is of no use any more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _batches(self) -> tuple[list[Batch], bool]:
        found: list[Batch] = []
        size = 0
        for number, file in waiting(self._folder):
            if number <= self._mark:
                file.unlink(missing_ok=True)  # it was shipped by one that was killed before it could say so
                continue
            if size >= _AT_ONCE_BYTES or len(found) >= _AT_ONCE:
                return found, True
            batch = read(number, file)
            if batch is not None:
                found.append(batch)
                size += sum(table.nbytes for tables in batch.tables.values() for table in tables)
        return found, False


def _ship(connection: duckdb.DuckDBPyConnection, shard: str, batches: Iterable[Batch]) -> int:
    """In one transaction; how many rows."""
    connection.execute("BEGIN")
    rows, run = 0, list[Batch]()
    for batch in batches:
        if batch.ends:
            rows, run = rows + _insert(connection, shard, run), []
            end_what_was_open(connection, shard, batch.number, batch.written_ns)
        run.append(batch)
    rows += _insert(connection, shard, run)
    connection.execute("COMMIT")
    return rows


def _insert(connection: duckdb.DuckDBPyConnection, shard: str, batches: list[Batch]) -> int:
    """One statement a table: each makes a file."""
    parts: dict[str, list[tuple[Batch, Any]]] = {}
    for batch in batches:
        for name, tables in batch.tables.items():
            parts.setdefault(name, []).extend((batch, table) for table in tables if name in TABLES)
    rows = 0
    for name, found in parts.items():
        columns = TABLES[name].columns
        selects: list[str] = []
        for number, (batch, table) in enumerate(found):
            connection.register(f"part_{number}", table)
            rows += table.num_rows
            values = [f"CAST({column} AS {kind})" for column, kind in columns.items()]
            values += [f"'{shard}'", str(batch.number), str(batch.written_ns)]
            selects.append(f"SELECT {', '.join(values)} FROM part_{number}")
        target = f"{stored_in(name)} ({', '.join([*columns, *ORIGIN])})"
        connection.execute(f"INSERT INTO {target} {' UNION ALL '.join(selects)}")
        for number in range(len(found)):
            connection.unregister(f"part_{number}")
    return rows


def mark_of(connection: duckdb.DuckDBPyConnection, shard: str) -> int:
    """The number of the newest batch that the lake has of a collector."""
    tables = [stored_in(name) for name in TABLES]
    newest = " UNION ALL ".join(f"SELECT max(batch) AS batch FROM {table} WHERE shard = $1" for table in tables)
    row = connection.execute(f"SELECT coalesce(max(batch), 0) FROM ({newest})", [shard]).fetchone()
    return 0 if row is None else int(row[0])
