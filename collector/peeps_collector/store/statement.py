# SPDX-License-Identifier: Apache-2.0
"""One statement of a stranger: checked, run and put into bytes, within limits of time, rows and size."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

import duckdb

from .arrow import Result, ResultTooLarge, batches_of
from .guard import Refused, check
from .plain import json_bytes, plain

_NO_MEMORY = ("OUT OF MEMORY", "BAD ALLOCATION", "BAD_ALLOC", "FAILED TO ALLOCATE")


class Failure(Enum):
    """What became of a statement that has no result."""

    REFUSED = "refused"
    """Not allowed or wrong."""
    TIME = "time"
    """Took too long."""
    SIZE = "size"
    """Its result or its memory is too large."""
    BUSY = "busy"
    """It was not begun: others run, or the collector ends."""


class StatementFailed(Exception):
    """Says what to do about it."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


Parameters: TypeAlias = list[Any] | dict[str, Any]
"""In their order, or by name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`limit`: rows. `limit_bytes`: of the result in Arrow's form. `arrow`: an Arrow IPC stream instead of JSON."""

    sql: str
    parameters: Parameters
    limit: int
    limit_bytes: int
    seconds: float
    arrow: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """`content`: an Arrow IPC stream, or a JSON object with columns, rows and truncated."""

    truncated: bool
    content: bytes


def run(cursor: duckdb.DuckDBPyConnection, statement: Statement, alone: bool) -> Answer:
    """`alone`: in a process of its own, whose memory and time are limited by the system. Raises StatementFailed."""
    with limited(cursor, statement.seconds):
        return _run(cursor, statement, alone)


@contextmanager
def limited(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Generator[None]:
    """Interrupts what runs on the cursor, and turns what goes wrong into StatementFailed."""
    try:
        with _deadline(cursor, seconds):
            yield
    except Refused as refused:
        raise StatementFailed(Failure.REFUSED, str(refused)) from None
    except ResultTooLarge as error:
        raise StatementFailed(Failure.SIZE, str(error)) from None
    except duckdb.InterruptException:
        raise too_long(seconds) from None
    except (duckdb.OutOfMemoryException, MemoryError):
        raise too_large() from None
    except duckdb.Error as error:
        raise StatementFailed(Failure.REFUSED, str(error)) from None
    except (TypeError, RuntimeError, OSError) as error:
        # An interrupt and a lack of memory between two batches arrive as the Arrow reader's own errors.
        words = str(error).upper()
        if "INTERRUPT" in words:
            raise too_long(seconds) from None
        if any(sign in words for sign in _NO_MEMORY):
            raise too_large() from None
        raise StatementFailed(Failure.REFUSED, str(error)) from None


def too_long(seconds: float) -> StatementFailed:
    return StatementFailed(
        Failure.TIME, f"the statement took longer than {seconds:g} s and was stopped; filter by time or aggregate"
    )


def too_large() -> StatementFailed:
    return StatementFailed(
        Failure.SIZE, "the statement needs more memory than it may have and was stopped; filter by time or aggregate"
    )


def _run(cursor: duckdb.DuckDBPyConnection, statement: Statement, alone: bool) -> Answer:
    statements = cursor.extract_statements(statement.sql)
    if len(statements) != 1:
        raise Refused(f"{len(statements)} statements; exactly one is allowed")
    if statements[0].type not in {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}:
        raise Refused(
            f"{statements[0].type.name} is not allowed; the database is read with SELECT, WITH, FROM, "
            "VALUES, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN"
        )
    check(cursor, statement.sql, statements[0].type is duckdb.StatementType.EXPLAIN, sizes=not alone)
    # A relation is lazy: rows past the limits are never made.
    relation = cursor.sql(statements[0], params=statement.parameters)
    columns = [{"name": n, "type": str(kind)} for n, kind in zip(relation.columns, relation.types, strict=True)]
    result = Result(batches_of(relation), statement.limit, statement.limit_bytes)
    if statement.arrow:
        return Answer(result.truncated, result.ipc())
    rows = [[plain(value) for value in row] for row in result.rows()]
    content = json_bytes({"columns": columns, "rows": rows, "truncated": result.truncated})
    return Answer(result.truncated, content)


@contextmanager
def _deadline(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Generator[None]:
    lock = threading.Lock()
    over = False

    def interrupt() -> None:
        with lock:
            if not over:
                cursor.interrupt()

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:  # never interrupt a cursor that is being closed
            over = True
        timer.cancel()
