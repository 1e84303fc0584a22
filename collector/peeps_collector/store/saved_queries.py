# SPDX-License-Identifier: Apache-2.0
"""Named questions of the users: a folder with one `NAME.sql` each, whose first line may be `-- what it answers`.

Plain files, so that they can be written by hand, kept in git and carried to another collector.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from pathlib import Path

import duckdb

from .packs import BY_NAME, Pack

PARAMETERS = frozenset({"1", "2"})
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_TEXT_MOST = 200
_SQL_BYTES = 64 << 10
_FILE_BYTES = _SQL_BYTES + 4 * _TEXT_MOST + 16  # with the line of text above the statement
_MOST = 200
_TOO_LARGE = (
    f"a saved query may have {_SQL_BYTES:,}. Shorten its statement, put what it needs into several queries, or run it "
    "as a whole by `peeps sql`"
)


class NotSaved(ValueError):
    """Why a query was not saved or deleted: which member, and what to do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class SavedQueries:
    """Thread-safe. `folder`: made with the first query that is saved; None where none can be saved."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def known(self) -> list[Pack]:
        """By name. One whose file cannot be read says so as its text."""
        if self._folder is None or not self._folder.is_dir():
            return []
        names = sorted(path.stem for path in self._folder.glob("*.sql") if _NAME.fullmatch(path.stem))
        return [pack for name in names[:_MOST] if (pack := self.find(name)) is not None]

    def find(self, name: str) -> Pack | None:
        """None where there is none of that name."""
        if self._folder is None or not _NAME.fullmatch(name):
            return None
        path = self._folder / f"{name}.sql"
        try:
            with path.open("rb") as file:
                content = file.read(_FILE_BYTES + 1)
            if len(content) > _FILE_BYTES:
                return Pack(name, f"{path} has {path.stat().st_size:,} bytes: {_TOO_LARGE}", "")
            return _pack(name, content.decode())
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            return Pack(name, f"{path} cannot be read: {error}", "")

    def save(self, name: str, text: str, sql: str) -> Pack:
        """Replaces the one of that name. Raises NotSaved."""
        folder = self._place()
        if not _NAME.fullmatch(name):
            raise NotSaved("name", f"name={name[:80]!r} must be 1 to 64 of a-z, 0-9 and -, and not begin with -")
        if name in BY_NAME:
            raise NotSaved("name", f"{name} comes with peeps; take another name")
        text = text.strip()
        if len(text) > _TEXT_MOST or len(text.splitlines()) > 1:
            raise NotSaved("text", f"text must be one line of at most {_TEXT_MOST} characters")
        if not sql.strip() or len(sql.encode()) > _SQL_BYTES:
            raise NotSaved("sql", f"sql must be one statement of at most {_SQL_BYTES} bytes")
        parameters_of(sql)
        path = folder / f"{name}.sql"
        with self._lock:
            if not path.exists() and len(self.known()) >= _MOST:
                raise NotSaved("name", f"{folder} has {_MOST} queries already; delete one")
            try:
                folder.mkdir(parents=True, exist_ok=True)
                _replace(path, f"-- {text}\n{sql.strip()}\n")
            except OSError as error:
                raise NotSaved("name", f"{path} cannot be written: {error}") from None
        return Pack(name, text, sql.strip())

    def delete(self, name: str) -> bool:
        """False where there is none of that name. Raises NotSaved."""
        if name in BY_NAME:
            raise NotSaved("name", f"{name} comes with peeps and cannot be deleted")
        if not _NAME.fullmatch(name):
            return False
        path = self._place() / f"{name}.sql"
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise NotSaved("name", f"{path} cannot be deleted: {error}") from None
        return True

    def _place(self) -> Path:
        if self._folder is None:
            raise NotSaved("name", "this collector shows a recording; set PEEPS_QUERIES to a folder to save queries")
        return self._folder


def parameters_of(sql: str) -> frozenset[str]:
    """Which of `$1` (the moment, ns) and `$2` (process ids) the statement uses. Raises NotSaved."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise NotSaved("sql", str(error)) from None
    if len(statements) != 1:
        raise NotSaved("sql", f"{len(statements)} statements; exactly one is allowed")
    used = frozenset(statements[0].named_parameters)
    if more := sorted(used - PARAMETERS):
        raise NotSaved("sql", f"${more[0]}: a named query has two parameters, $1 (the moment, ns) and $2 (process ids)")
    return used


def _pack(name: str, content: str) -> Pack:
    first, _, rest = content.partition("\n")
    if first.startswith("--"):
        return Pack(name, first[2:].strip(), rest.strip())
    return Pack(name, "", content.strip())


def _replace(path: Path, content: str) -> None:
    """All of it or nothing."""
    beside = path.with_suffix(".new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
