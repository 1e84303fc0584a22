# SPDX-License-Identifier: Apache-2.0
"""What is done with a database file while no collector has it: looking at it, writing it anew, exporting it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb

from .file import StoreError
from .schema import TABLES


@dataclass(frozen=True, slots=True)
class TableInfo:
    """`oldest_ns`, `newest_ns`: of the column that retention goes by; None where it has none, or no rows."""

    name: str
    rows: int
    oldest_ns: int | None
    newest_ns: int | None


@dataclass(frozen=True, slots=True)
class FileInfo:
    """`log_bytes`: of the write-ahead log; `journal_bytes`: acknowledged, and not in the database for sure."""

    path: str
    bytes: int
    log_bytes: int
    journal_bytes: int
    meta: dict[str, str]
    tables: list[TableInfo]


def info(path: str) -> FileInfo:
    """Raises StoreError."""
    with _opened(path, read_only=True) as connection:
        meta = dict(connection.execute("SELECT key, value FROM meta ORDER BY key").fetchall())
        tables: list[TableInfo] = []
        for table in TABLES.values():
            times = f"min({table.time}), max({table.time})" if table.time else "NULL, NULL"
            row = connection.execute(f"SELECT count(*), {times} FROM {table.name}").fetchone()
            assert row is not None
            tables.append(TableInfo(table.name, *row))
    journal = sum(file.stat().st_size for file in Path(f"{path}.journal").glob("*.journal"))
    return FileInfo(path, _size(path), _size(f"{path}.wal"), journal, meta, tables)


def export(path: str, folder: str) -> list[str]:
    """Every table as Parquet, in a folder that is made; the files. Raises StoreError."""
    target = Path(folder)
    try:
        target.mkdir(parents=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder}: {error.strerror}") from None
    files: list[str] = []
    with _opened(path, read_only=True) as connection:
        for name in ("meta", *TABLES):
            file = str(target / f"{name}.parquet")
            try:
                connection.execute(f"COPY {name} TO {_quoted(file)} (FORMAT parquet, COMPRESSION zstd)")
            except duckdb.Error as error:
                raise StoreError(f"{file} cannot be written: {str(error).splitlines()[0]}") from None
            files.append(file)
    return files


def vacuum(path: str) -> tuple[int, int]:
    """Writes the file anew, beside it, and puts that in its place; bytes before and after. Raises StoreError: the file
    is then as it was."""
    before = _size(path) + _size(f"{path}.wal")
    part = Path(f"{path}.vacuum")
    with _opened(path, read_only=False) as connection:
        try:
            connection.execute("CHECKPOINT")
            connection.execute(f"ATTACH {_quoted(str(part))} AS fresh (STORAGE_VERSION 'v1.5.0')")
            name = connection.execute("SELECT current_database()").fetchall()[0][0]
            connection.execute(f'COPY FROM DATABASE "{name}" TO fresh')
            connection.execute("DETACH fresh")
            with part.open("rb") as file:
                os.fsync(file.fileno())
            # While it is still locked: no collector begins to write to the one that goes.
            part.replace(path)
        except (duckdb.Error, OSError) as error:
            part.unlink(missing_ok=True)
            raise StoreError(f"{path} cannot be written anew: {str(error).splitlines()[0]}") from None
        finally:
            Path(f"{part}.wal").unlink(missing_ok=True)
    return before, _size(path)


def _opened(path: str, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    if not Path(path).is_file():
        raise StoreError(f"there is no file {path}")
    try:
        connection = duckdb.connect(path, read_only=read_only)
    except Exception as error:
        words = str(error).splitlines()[0]
        if "set lock" in words or "Conflicting lock" in words:
            raise StoreError(f"a collector has {path} open: stop it first ({words})") from None
        raise StoreError(f"cannot open {path}: {words}") from None
    found = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if lacking := sorted({"meta", *TABLES} - found):
        connection.close()
        raise StoreError(f"{path} is not a database of this collector, or of an earlier one: it lacks {lacking[0]}")
    return connection


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
