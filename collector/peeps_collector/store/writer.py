# SPDX-License-Identifier: Apache-2.0
"""The one thread that writes: one transaction a tick, through Arrow.

A crash loses at most the rows since the last tick; DuckDB's write-ahead log brings back every committed one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import duckdb

from .arrow import to_arrow
from .buffer import RowBuffer
from .retention import retention_statements
from .schema import TABLES, Row

_TICK_SECONDS = 1.0
_RETENTION_SECONDS = 60.0
# One row a key: the newest is what is true, and the older ones are not history.
_KEYS = {"process": "process", "finding": "finding", "node": "node"}
_log = logging.getLogger(__name__)


class Writer:
    """Owns the connection from `start` to `stop`. `flush` is for tests and shutdown; all else runs in the thread."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        buffer: RowBuffer,
        retention_hours: float,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._connection = connection
        self._buffer = buffer
        self._retention_ns = int(retention_hours * 3_600_000_000_000)
        self._clock = clock
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._retention_due = time.monotonic() + _RETENTION_SECONDS
        self._thread = threading.Thread(target=self._run, name="peeps-store", daemon=True)
        self.failure = ""
        """Why the last tick could not be written; empty where it was."""
        self.ticks = 0
        """Committed transactions."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what is left and ends the thread; the connection stays open."""
        self._stop.set()
        self._thread.join(30)
        self.flush()

    def flush(self) -> None:
        """Writes everything in the buffer, now. Never raises: a failure is in `failure` and in the log."""
        with self._lock:
            rows = self._buffer.take()
            if not rows:
                return
            try:
                self._transaction(rows)
            except duckdb.Error as error:
                self._failed(error)
                self._one_by_one(rows)
            else:
                self.failure = ""
                self.ticks += 1

    def delete_old(self) -> None:
        """Deletes what is older than the retention time."""
        with self._lock:
            oldest = self._clock() - self._retention_ns
            try:
                self._connection.execute("BEGIN")
                for statement in retention_statements():
                    self._connection.execute(statement, [oldest])
                self._connection.execute("COMMIT")
            except duckdb.Error as error:
                self._rollback()
                self._failed(error)

    def _run(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            self.flush()
            if time.monotonic() >= self._retention_due:
                self._retention_due = time.monotonic() + _RETENTION_SECONDS
                self.delete_old()

    def _transaction(self, rows: dict[str, list[Row]]) -> None:
        self._connection.execute("BEGIN")
        unfit = 0
        try:
            for name, part in rows.items():
                unfit += self._insert(name, part)
            self._connection.execute("COMMIT")
        except BaseException:
            self._rollback()
            raise
        self._buffer.lost(unfit)

    def _insert(self, name: str, rows: list[Row]) -> int:
        table = TABLES[name]
        key = _KEYS.get(name)
        if key is not None:
            rows = list({row[0]: row for row in rows}.values())
        batch, unfit = to_arrow(table, rows)
        self._connection.register("incoming", batch)
        try:
            if key is not None:
                self._connection.execute(f"DELETE FROM {name} WHERE {key} IN (SELECT {key} FROM incoming)")
            self._connection.execute(f"INSERT INTO {name} SELECT * FROM incoming")
        finally:
            self._connection.unregister("incoming")
        return unfit

    def _one_by_one(self, rows: dict[str, list[Row]]) -> None:
        """Each table in a transaction of its own, so that one bad table does not cost the others their rows."""
        for name, part in rows.items():
            try:
                self._transaction({name: part})
            except duckdb.Error as error:
                self._buffer.lost(len(part))
                self._failed(error)

    def _rollback(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
        except duckdb.Error:
            _log.debug("nothing to roll back", exc_info=True)

    def _failed(self, error: duckdb.Error) -> None:
        self.failure = f"the database refused a write: {str(error).splitlines()[0]}"
        _log.error("%s", self.failure)
