# SPDX-License-Identifier: Apache-2.0
"""The open database file. After an error that DuckDB calls fatal it answers nothing any more until it is opened anew:
that is done here, while the collector goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

import duckdb

from .file import StoreError, open_database
from .lease import Leases, can_be_shared


class Database:
    """`reading` may be called from any thread; all else is the writer's. `warnings` is told what was moved aside."""

    def __init__(self, path: str, memory: str, warnings: list[str] | None = None) -> None:
        """Raises StoreError."""
        self.path = path
        self._memory = memory
        self._warnings = [] if warnings is None else warnings
        self._lock = threading.Lock()
        self._readers = 0
        self._connection = open_database(path, memory, self._warnings)
        self.leases = Leases(self._connection, path)
        self.before_reading: Callable[[], None] = lambda: None
        """Called before each look into the file: so that what waits for the writer is in it."""
        self.reopened = 0
        """How often it had to be opened anew."""

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The one that writes; another one after `reopen`."""
        return self._connection

    @property
    def can_be_shared(self) -> bool:
        """Whether another process can read it at all."""
        return can_be_shared(self.path)

    def lease(self) -> AbstractContextManager[None]:
        """As long as it lasts, other processes may open the file to read it. Raises OSError."""
        return self.leases.reading()

    @contextmanager
    def reading(self) -> Generator[duckdb.DuckDBPyConnection]:
        """A cursor in a transaction that only reads. Raises duckdb.Error while the file cannot be used."""
        self.before_reading()
        with self._lock:
            cursor = self._connection.cursor()
            self._readers += 1
        try:
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            yield cursor
        finally:
            cursor.close()  # also ends the transaction
            with self._lock:
                self._readers -= 1

    def is_usable(self) -> bool:
        """Whether it still answers."""
        try:
            self._connection.execute("SELECT 1").fetchall()
        except duckdb.Error:
            return False
        return True

    def reopen(self) -> None:
        """Closes the file and opens it again; what is committed is there. Raises StoreError, as long as somebody still
        reads, or the file cannot be opened: then to be tried again."""
        with self._lock:
            if self._readers:  # closing would pull their cursors from under them; they fail soon
                raise StoreError(f"the database {self.path} is still being read")
            self._close()
            self._connection = open_database(self.path, self._memory, self._warnings, again=True)
            self.leases.reopened(self._connection)
            self.reopened += 1

    def close(self) -> None:
        """After the last use."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        self.leases.close()
        self._connection.close()
        self.leases.closed()
