# SPDX-License-Identifier: Apache-2.0
"""Another process reads the open database file.

DuckDB's lock lets one process have a file that is written. Between two checkpoints it only adds to it, so a reader that
opens it then sees one committed state: while a lease is held there is no checkpoint, and our lock on the file is turned
into one that readers may share. Writers of other programs are kept out at every moment.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import duckdb

if sys.platform != "win32":
    import fcntl

_CHECKPOINT_BYTES = 64 << 20  # of the log, which a start after a kill replays; DuckDB's own 16 MB stalls the writer
_READER_BYTES = 16 << 20  # of the log, which each reader replays
_MOST_BYTES = 1 << 30  # of the log: then a reader that is none of ours must do without
_log = logging.getLogger(__name__)


def can_be_shared(path: str) -> bool:
    """Whether other processes can read the file at all: Windows has no such lock."""
    return sys.platform != "win32" and Path(path).is_file()


class Leases:
    """Thread-safe. Closing any other descriptor of the file in this process would drop DuckDB's lock: nothing else here
    may open it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: str) -> None:
        """`connection`: automatic checkpoints must be off."""
        self._connection = connection.cursor()
        self._log_file = f"{path}.wal"
        self._lock = threading.Lock()
        self._readers = 0
        self._shared = False
        self._path = path
        self._file = os.open(path, os.O_RDWR) if can_be_shared(path) else None

    def reopened(self, connection: duckdb.DuckDBPyConnection) -> None:
        """After `close` and `closed`: the file is open again."""
        with self._lock:
            self._connection = connection.cursor()
            self._shared = False
            self._file = os.open(self._path, os.O_RDWR) if can_be_shared(self._path) else None

    @contextlib.contextmanager
    def reading(self) -> Generator[None]:
        """As long as it lasts, other processes may open the file to read it. Raises OSError."""
        with self._lock:
            if self._file is None:
                raise OSError("the database file cannot be read by a second process here")
            if not self._readers and self._log_bytes() > _READER_BYTES:
                self._checkpoint()
            self._take(shared=True)
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                if not self._readers:
                    self._take(shared=False)

    def checkpoint_if_due(self) -> None:
        """After each commit. Where a reader is in the way it is done after the next one."""
        with self._lock:
            size = self._log_bytes()
            if self._readers or size < _CHECKPOINT_BYTES:
                return
            self._take(shared=False)
            if not self._shared or size > _MOST_BYTES:
                self._checkpoint()

    def checkpoint(self) -> None:
        """Writes the log into the file, where nobody reads."""
        with self._lock:
            if not self._readers:
                self._take(shared=False)
                if not self._shared:
                    self._checkpoint()

    def close(self) -> None:
        """After the last reader and before DuckDB's connection."""
        with self._lock:
            self._connection.close()

    def closed(self) -> None:
        """After DuckDB's connection is closed: from now on others may write the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _take(self, shared: bool) -> None:
        if sys.platform == "win32" or self._file is None or self._shared == shared:
            return
        try:
            fcntl.lockf(self._file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            if shared:
                raise
            return  # somebody still reads: tried again at the next checkpoint
        self._shared = shared

    def _checkpoint(self) -> None:
        try:
            self._connection.execute("CHECKPOINT")
        except duckdb.TransactionException:
            _log.debug("no checkpoint beside a transaction", exc_info=True)
        except duckdb.Error as error:
            _log.warning("no checkpoint: %s", str(error).splitlines()[0])

    def _log_bytes(self) -> int:
        try:
            return os.stat(self._log_file).st_size
        except OSError:
            return 0
