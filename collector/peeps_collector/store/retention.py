# SPDX-License-Identifier: Apache-2.0
"""What is deleted: history older than the retention time, and the oldest of it where the file would become larger than
it may. What is alive is never deleted.

In steps of so many rows, each a transaction of its own: between them the writer goes on. What is freed is used again:
the file does not shrink, and does not grow either.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from .database import Database
from .schema import EDGE_CHANGE, FINDING, NODE, NODE_CHANGE, PROCESS, RESOURCE, TABLES, Table

_AT_ONCE = 100_000
_SHARE = 0.2  # of the largest table, at a time
_ROW_BYTES = {"span": 120, "log": 100, "metric": 90, "snapshot": 40, "finding_event": 60, "node_change": 25}
"""About what a row of a history takes in the file."""
_CHANGES = {
    NODE_CHANGE.name: ("upsert", "node"),
    EDGE_CHANGE.name: ("add", "src, dst, kind"),
}
_PLAIN = [table for table in TABLES.values() if table.time and table is not FINDING]
Steps = Iterator[None]


def file_bytes(path: str) -> int:
    """Of the database file and its log."""
    return _size(path) + _log_bytes(path)


def _log_bytes(path: str) -> int:
    return _size(f"{path}.wal")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


class Retention:
    """Belongs to the writer's thread. `hours`: kept at most; `most`: bytes of the file; `checkpoint`: writes the log
    into the file, where nobody reads."""

    def __init__(
        self, database: Database, hours: float, most: int = 1 << 62, checkpoint: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._kept_ns = int(hours * 3_600_000_000_000)
        self._most = most
        self._checkpoint = checkpoint
        self.warning = ""
        """Why the file is larger than it may be; empty where it is not."""

    def is_too_large(self) -> bool:
        return file_bytes(self._database.path) > self._most and self._used() > self._most

    def steps(self, now_ns: int) -> Steps:
        """Deletes what is to be deleted, a step after the other. Raises duckdb.Error."""
        yield from self._older_than(now_ns - self._kept_ns)
        self._run(f"DELETE FROM {FINDING.name} WHERE state <> 'open' AND last_seen_ns < ?", now_ns - self._kept_ns)
        yield
        self._run(f"DELETE FROM {PROCESS.name} WHERE state = 'gone' AND last_seen_ns < ?", now_ns - self._kept_ns)
        yield from self._fit()
        yield from self._orphans(now_ns - self._kept_ns)

    def _older_than(self, oldest_ns: int) -> Steps:
        for table in _PLAIN:
            yield from self._delete(table.name, _old(table), [oldest_ns])
        for name in _CHANGES:
            yield from self._delete(name, _changed(name), [oldest_ns, oldest_ns])

    def _orphans(self, oldest_ns: int) -> Steps:
        """What nothing points to any more."""
        without = f"node NOT IN (SELECT node FROM {NODE_CHANGE.name})"
        yield from self._delete(NODE.name, f"created_at < ? AND {without}", [oldest_ns])
        self._run(f"DELETE FROM {RESOURCE.name} WHERE process NOT IN (SELECT process FROM {PROCESS.name})")
        yield

    def _fit(self) -> Steps:
        """Deletes some of the oldest of the largest history where the file is too large. What that frees is known after
        a further checkpoint, which comes with the next transactions: then it is asked again."""
        if file_bytes(self._database.path) > self._most:
            self._checkpoint()
            yield
        if self._used() <= self._most:
            self.warning = ""
            return
        largest = self._largest()
        count = 0 if largest is None else (yield from self._delete_oldest(largest))
        what = f"the database is larger than PEEPS_DB_BYTES={self._most} with what is alive alone"
        self.warning = "" if count else what
        self._checkpoint()
        yield

    def _used(self) -> int:
        """Bytes of the file that are not free, and of its log."""
        [(block, used)] = self._rows("SELECT block_size, used_blocks FROM pragma_database_size()")
        return block * used + _log_bytes(self._database.path)

    def _largest(self) -> _Largest | None:
        counts = dict(self._rows("SELECT table_name, estimated_size FROM duckdb_tables()"))
        sizes = {name: rows * _ROW_BYTES.get(name, 15) for name, rows in counts.items() if name in _TIMES}
        name = max(sizes, key=lambda one: sizes[one], default="")
        if not name or not sizes[name]:
            return None
        if name == "finding_event":
            return _Largest(name, None, counts[name])
        by_process = f"SELECT process, count(*) FROM {name} GROUP BY process ORDER BY count(*) DESC LIMIT 1"
        process, rows = next(iter(self._rows(by_process)), (None, 0))
        return _Largest(name, process, rows) if 2 * rows > counts[name] else _Largest(name, None, counts[name])

    def _delete_oldest(self, largest: _Largest) -> Generator[None, None, int]:
        """A fifth of what one process has in a table, where that is most of it, else of all. Returns how many rows."""
        name, time = largest.table, _TIMES[largest.table]
        of = "" if largest.process is None else "AND process = ?"
        given: list[Any] = [] if largest.process is None else [largest.process]
        cut = f"SELECT quantile_disc({time}, {_SHARE}) FROM {name} WHERE true {of}"
        [(cut_ns,)] = self._rows(cut, *given)
        if name in _CHANGES:
            return (yield from self._delete(name, f"{_changed(name)} {of}", [cut_ns + 1, cut_ns + 1, *given]))
        return (yield from self._delete(name, f"{time} < ? {of}", [cut_ns + 1, *given]))

    def _delete(self, table: str, where: str, given: list[Any]) -> Generator[None, None, int]:
        deleted = 0
        while True:
            rows = f"SELECT rowid FROM {table} WHERE {where} LIMIT {_AT_ONCE}"
            [(count,)] = self._rows(f"DELETE FROM {table} WHERE rowid IN ({rows})", *given)
            deleted += count
            yield
            if count < _AT_ONCE:
                return deleted

    def _rows(self, statement: str, *given: Any) -> list[Any]:
        return self._database.connection.execute(statement, list(given)).fetchall()

    def _run(self, statement: str, *given: Any) -> None:
        self._database.connection.execute(statement, list(given))


@dataclass(frozen=True, slots=True)
class _Largest:
    """`process`: the one that has most of the table, None where none has."""

    table: str
    process: str | None
    rows: int


_TIMES = {table.name: table.time for table in _PLAIN} | dict.fromkeys(_CHANGES, "time_ns")


def _old(table: Table) -> str:
    return f"{table.time} < ?"


def _changed(name: str) -> str:
    """The last word on a living node stays, however old: it is the state at every later moment."""
    alive, key = _CHANGES[name]
    last = f"SELECT max(struct_pack(t := time_ns, r := rowid)).r FROM {name} WHERE time_ns <= ? GROUP BY {key}"
    return f"time_ns < ? AND (op <> '{alive}' OR rowid NOT IN ({last}))"
