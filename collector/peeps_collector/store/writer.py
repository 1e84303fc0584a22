# SPDX-License-Identifier: Apache-2.0
"""The one thread that writes: one transaction a tick, through Arrow. Few rows wait a while for more, or for somebody
who reads: a transaction costs nearly the same for one row as for a thousand.

What could not be written is kept and tried again, for the senders have been told that it is safe; meanwhile the buffer
fills and they are told to come again. With the rows goes the position in the journal they are of.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import duckdb

from .arrow import to_arrow
from .arrow_columns import together
from .buffer import RowBuffer
from .commit_times import CommitTimes
from .database import Database
from .file import StoreError
from .outbox import NoOutbox, Outbox
from .position import Position
from .retention import Retention
from .schema import TABLES
from .table_rows import Part, Rows, TableRows

_TICK_SECONDS = 1.0
_LONGEST_SECONDS = 5.0
_FEW_ROWS = 10_000
_READER_WAITS_SECONDS = 2.0
_RETENTION_SECONDS = 60.0
_DELETING_SECONDS = 0.2  # of each tick
# One row a key: the newest is what is true, and the older ones are not history.
_KEYS = {"process": "process", "finding": "finding", "node": "node", "resource": "resource"}
# What is wrong with rows and not with the disk: trying again would fail for ever.
_OF_THE_ROWS = (duckdb.DataError, duckdb.IntegrityError, duckdb.ProgrammingError, duckdb.NotSupportedError)
_NO_ROOM = ("No space left on device", "Disk quota exceeded", "File too large")
POSITION_KEY = "journal"
_log = logging.getLogger(__name__)


class Writer:
    """Owns the database from `start` to `stop`. `flush` is for tests, replay and shutdown; all else runs in the
    thread. `committed`: is told the number up to which the journal is not needed any more. `checkpoint`:
    is called after each tick. `outbox`: is told what each transaction inserts."""

    def __init__(
        self,
        database: Database,
        buffer: RowBuffer,
        retention: float | Retention,
        clock: Callable[[], int] = time.time_ns,
        committed: Callable[[int], None] = lambda _low: None,
        checkpoint: Callable[[], None] = lambda: None,
        outbox: Outbox | None = None,
    ) -> None:
        self._database = database
        self._outbox = outbox or NoOutbox()
        self._buffer = buffer
        self._retention = retention if isinstance(retention, Retention) else Retention(database, retention)
        self._deleting: Iterator[None] | None = None
        self._clock = clock
        self._committed = committed
        self._checkpoint = checkpoint
        self._stop = False
        self._asked = False
        self._turns = 0
        self._changed = threading.Condition()
        self._lock = threading.Lock()
        self._flushed_s = time.monotonic()
        self._retention_due = time.monotonic() + _RETENTION_SECONDS
        self._thread = threading.Thread(target=self._run, name="peeps-store", daemon=True)
        self._rows: Rows = {}
        self.position = read_position(database.connection)
        """What of the journal is in the database."""
        self.failure = ""
        """Why the last tick could not be written; empty where it was."""
        self.is_shut = False
        """The database had to be closed, and is not open again yet."""
        self.ticks = 0
        """Committed transactions."""
        self.times = CommitTimes()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what is left and ends the thread; the database stays open."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()
        self._thread.join(30)
        self.flush()

    def catch_up(self) -> None:
        """For who is about to read: what has waited for more than a tick is written first. From any other thread."""
        if (
            not self._buffer.pending
            or time.monotonic() - self._flushed_s < _TICK_SECONDS
            or not self._thread.is_alive()
        ):
            return
        with self._changed:
            turns, self._asked = self._turns, True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._turns > turns or self._stop, _READER_WAITS_SECONDS)

    def flush(self, reached: int = 0) -> None:
        """Writes everything in the buffer, now. Never raises: a failure is in `failure` and in the log. `reached`: the
        numbers of the journal up to here are all done with."""
        with self._lock:
            self._flushed_s = time.monotonic()
            if not self._database.is_usable() and not self._reopened():
                return
            rows, requests = self._buffer.take()
            for table, part in rows.items():
                self._rows.setdefault(table, TableRows()).extend(part)
            self._wanted = self._position_with(requests).reached(reached)
            if not self._rows and self._wanted.text() == self.position.text():
                return
            try:
                self._write(self._wanted)
            except duckdb.Error as error:
                self._failed(error)
            else:
                self.failure = ""
                self.ticks += 1
        self._committed(self.position.low)

    def delete_old(self, seconds: float = float("inf")) -> bool:
        """Deletes what is older than the retention time, or too much, for about so long. False where there is more."""
        until_s = time.monotonic() + seconds
        with self._lock:
            try:
                self._deleting = self._deleting or self._retention.steps(self._clock())
                for _ in self._deleting:
                    if time.monotonic() >= until_s:
                        return False
            except duckdb.Error as error:
                self._failed(error)
            self._deleting = None
            return True

    _wanted: Position | None = None

    def _position_with(self, requests: Iterable[int]) -> Position:
        return (self._wanted or self.position).with_more(requests)

    def _run(self) -> None:
        while self._awaited():
            self.flush()
            self._checkpoint()
            with self._changed:
                self._turns += 1
                self._changed.notify_all()
            if time.monotonic() >= self._retention_due or self._retention.is_too_large():
                more = not self.delete_old(_DELETING_SECONDS)
                self._retention_due = time.monotonic() + (0 if more else _RETENTION_SECONDS)

    def _awaited(self) -> bool:
        """Waits until it is time to write; False where it is time to end."""
        with self._changed:
            while not self._stop:
                left = self._flushed_s + _TICK_SECONDS - time.monotonic()
                if self._asked or (left <= 0 and self._is_due()):
                    self._asked = False
                    return True
                self._changed.wait(left if left > 0 else _TICK_SECONDS)
            return False

    def _is_due(self) -> bool:
        waits_s = time.monotonic() - self._flushed_s
        many = self._buffer.pending > _FEW_ROWS or self._buffer.full
        return many or waits_s >= _LONGEST_SECONDS or bool(self.failure) or self.is_shut

    def _write(self, wanted: Position) -> None:
        lost = 0
        try:
            lost = self._transaction(self._rows, wanted)
        except duckdb.Error as error:
            # A failed commit may have got through: what the file says is true.
            if not self._rows or not self._is_in(wanted):
                if not isinstance(error, _OF_THE_ROWS):
                    raise
                lost = self._without_bad_tables(wanted)
        self.position, self._rows = wanted, {}
        self._outbox.settle(self._database.connection)
        self._buffer.stored(lost)

    def _reopened(self) -> bool:
        """Opens the database anew. What was being committed when it failed is in it, or is not."""
        try:
            self._database.reopen()
        except (StoreError, duckdb.Error) as error:
            self.is_shut = True
            self._tell(f"the database had to be closed, and cannot be opened again yet: {error}")
            return False
        self.is_shut = False
        _log.warning("the database has been opened anew: %s", self.failure or "it did not answer any more")
        self.failure = ""
        if self._wanted is not None and self._is_in(self._wanted):
            self.position, self._rows = self._wanted, {}
            self._buffer.stored()
        self._outbox.settle(self._database.connection)
        return True

    def _is_in(self, wanted: Position) -> bool:
        try:
            found = read_position(self._database.connection).text()
            return found == wanted.text() != self.position.text()
        except duckdb.Error:
            return False

    def _transaction(self, rows: Rows, position: Position) -> int:
        """Returns how many rows did not fit their columns."""
        begun_s = time.monotonic()
        self._database.connection.execute("BEGIN")
        unfit = 0
        try:
            for name, part in rows.items():
                unfit += self._insert(name, part)
            self._outbox.write(self._database.connection)
            if position.text() != self.position.text():
                self._database.connection.execute("DELETE FROM meta WHERE key = ?", [POSITION_KEY])
                self._database.connection.execute("INSERT INTO meta VALUES (?, ?)", [POSITION_KEY, position.text()])
            self._database.connection.execute("COMMIT")
        except BaseException:
            self._rollback()
            raise
        self.times.add(time.monotonic() - begun_s)
        return unfit

    def _insert(self, name: str, rows: TableRows) -> int:
        """Returns how many rows did not fit their columns."""
        key = _KEYS.get(name)
        parts = rows.parts
        if key is not None:
            newest = Part(list({row[0]: row for row in rows.tuples}.values()))
            parts = [newest, *(part for part in parts if part.batch is not None)]
        unfit = 0
        alike: dict[Any, list[Any]] = {}  # by their types: what has the same ones keeps its order
        for part in parts:
            batches = [part.batch]
            if part.batch is None:
                table, lost = to_arrow(TABLES[name], part.rows)
                batches, unfit = table.to_batches(), unfit + lost
            for batch in batches:
                alike.setdefault(batch.schema, []).append(batch)
        for batches in alike.values():
            self._insert_arrow(name, together(batches), key)
        return unfit

    def _insert_arrow(self, name: str, incoming: Any, key: str | None) -> None:
        self._database.connection.register("incoming", incoming)
        try:
            if key is not None:
                self._database.connection.execute(f"DELETE FROM {name} WHERE {key} IN (SELECT {key} FROM incoming)")
            self._outbox.add(name, incoming)
            columns = ", ".join(TABLES[name].columns)  # a file that was migrated has them in another order
            self._database.connection.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM incoming")
        finally:
            self._database.connection.unregister("incoming")

    def _without_bad_tables(self, wanted: Position) -> int:
        """One bad table must not cost the others their rows, nor stop everything for ever."""
        good: Rows = {}
        lost = 0
        for name, part in self._rows.items():
            try:
                self._database.connection.execute("BEGIN")
                self._insert(name, part)
            except _OF_THE_ROWS as error:
                lost += len(part)
                self._failed(error)
            else:
                good[name] = part
            finally:
                self._rollback()
        return lost + self._transaction(good, wanted)

    def _rollback(self) -> None:
        try:
            self._database.connection.execute("ROLLBACK")
        except duckdb.Error:
            _log.debug("nothing to roll back", exc_info=True)
        try:
            self._outbox.settle(self._database.connection)
        except duckdb.Error:
            _log.debug("what was committed is known once the database is open again", exc_info=True)

    def _failed(self, error: duckdb.Error) -> None:
        text = str(error).splitlines()[0]
        if any(words in text for words in _NO_ROOM):
            failure = f"disk full: the database cannot be written ({text}); it is tried again each second"
        else:
            failure = f"the database refused a write: {text}"
        self._tell(failure)

    def _tell(self, failure: str) -> None:
        if failure != self.failure:
            _log.error("%s", failure)
        self.failure = failure


def read_position(connection: duckdb.DuckDBPyConnection) -> Position:
    rows = connection.execute("SELECT value FROM meta WHERE key = ?", [POSITION_KEY]).fetchall()
    return Position.of(rows[0][0]) if rows else Position()
