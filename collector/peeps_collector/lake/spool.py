# SPDX-License-Identifier: Apache-2.0
"""Batches on the disk of a collector that are on their way to the lake: one file a transaction of its writer.

A file is written before the commit and let go after it, under a number that the same transaction puts into the
database. So whatever kills the collector, what is in its database is in the spool or in the lake, once; what was
not committed is in neither, and comes again from the journal.
"""

from __future__ import annotations

import logging
import os
import secrets
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import orjson

from ..folder_sync import sync_folder
from ..store.arrow import from_ipc, to_ipc

_SIZES = struct.Struct(">IQ")
_PART, _READY = ".part", ".batch"
_SHARD_KEY, _BATCH_KEY = "lake_shard", "lake_batch"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """`tables`: Arrow tables by name. `ends`: a run began here, and nothing of the runs before is open any more."""

    number: int
    written_ns: int
    ends: bool
    tables: dict[str, list[Any]]


class Spool:
    """The writer's side. Belongs to its thread, but for `bytes` and `dropped`."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection, most: int, prefix: str = "") -> None:
        """`most`: bytes; beyond it the oldest go, which are then in the collector's file alone. `prefix`: of the
        collector's name. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._most = most
        self._added: dict[str, list[Any]] = {}
        self.shard = _known(connection, _SHARD_KEY) or _name(connection, prefix)
        """The collector's name in the lake: that of its file, for ever."""
        self.dropped = 0
        """Batches that had no room here while the lake was not to be reached."""
        self.settle(connection)

    def add(self, table: str, rows: Any) -> None:
        self._added.setdefault(table, []).append(rows)

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        if self._added:
            self._write(connection, ends=False)

    def settle(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._added = {}
        parts = sorted(self.folder.glob(f"*{_PART}"))
        if not parts:
            return
        committed = int(_known(connection, _BATCH_KEY) or 0)
        for part in parts:
            if int(part.stem) <= committed:
                part.rename(part.with_suffix(_READY))
            else:
                part.unlink()
        sync_folder(self.folder)
        self._make_room()

    def begin_run(self, connection: duckdb.DuckDBPyConnection) -> None:
        """What an earlier run left open in the lake is over."""
        connection.execute("BEGIN")
        try:
            self._write(connection, ends=True)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        finally:
            self.settle(connection)

    @property
    def bytes(self) -> int:
        """That wait."""
        return sum(size for _, size in _sizes(self.folder))

    def _write(self, connection: duckdb.DuckDBPyConnection, *, ends: bool) -> None:
        number = int(_known(connection, _BATCH_KEY) or 0) + 1
        try:
            self._write_file(number, ends)
        except OSError as error:
            raise duckdb.IOException(f"{error.strerror}: {self.folder}") from error
        connection.execute("DELETE FROM meta WHERE key = ?", [_BATCH_KEY])
        connection.execute("INSERT INTO meta VALUES (?, ?)", [_BATCH_KEY, str(number)])

    def _write_file(self, number: int, ends: bool) -> None:
        head = orjson.dumps({"written_ns": time.time_ns(), "ends": ends})
        with (self.folder / f"{number:020d}{_PART}").open("wb") as file:
            file.write(_SIZES.pack(len(head), 0) + head)
            for name, tables in self._added.items():
                for table in tables:
                    content, key = to_ipc(table), name.encode()
                    file.write(_SIZES.pack(len(key), len(content)) + key)
                    file.write(content)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.folder)

    def _make_room(self) -> None:
        waiting = _sizes(self.folder)
        total = sum(size for _, size in waiting)
        for file, size in waiting:
            if total <= self._most:
                return
            total -= size
            file.unlink(missing_ok=True)
            self.dropped += 1
            if self.dropped == 1:
                _log.error("more waits for the lake than PEEPS_LAKE_BYTES: the oldest goes")


def waiting(folder: Path) -> Iterator[tuple[int, Path]]:
    """The batches that may go into the lake, oldest first."""
    for file in sorted(folder.glob(f"*{_READY}")):
        yield int(file.stem), file


def read(number: int, file: Path) -> Batch | None:
    """None where it has gone meanwhile. Raises ValueError where it is not one."""
    try:
        content = memoryview(file.read_bytes())
    except FileNotFoundError:
        return None
    size, _ = _SIZES.unpack_from(content)
    place = _SIZES.size + size
    head = orjson.loads(content[_SIZES.size : place])
    tables: dict[str, list[Any]] = {}
    while place < len(content):
        size, more = _SIZES.unpack_from(content, place)
        place += _SIZES.size
        name = bytes(content[place : place + size]).decode()
        tables.setdefault(name, []).append(from_ipc(bytes(content[place + size : place + size + more])))
        place += size + more
    return Batch(number, head["written_ns"], head["ends"], tables)


def _sizes(folder: Path) -> list[tuple[Path, int]]:
    found: list[tuple[Path, int]] = []
    for _, file in waiting(folder):
        try:
            found.append((file, file.stat().st_size))
        except FileNotFoundError:
            continue  # it is in the lake
    return found


def _known(connection: duckdb.DuckDBPyConnection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
    return None if row is None else str(row[0])


def _name(connection: duckdb.DuckDBPyConnection, prefix: str) -> str:
    name = prefix + secrets.token_hex(8)
    connection.execute("INSERT INTO meta VALUES (?, ?)", [_SHARD_KEY, name])
    return name
