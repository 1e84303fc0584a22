# SPDX-License-Identifier: Apache-2.0
"""Reading the database file beside the writer: cursors of the one connection, each in a read-only transaction."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import orjson

from peeps_otel.model import Frame
from peeps_otel.model.jsonable import frame_to_json

from .arrow import Result, batches_of
from .guard import Refused, check

_HISTORY = 200


class QueryError(ValueError):
    """The statement is not allowed or wrong."""


class QueryTimeout(TimeoutError):
    """The statement took too long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`columns`: name and DuckDB type of each column."""

    columns: list[tuple[str, str]]
    result: Result


class Reader:
    """Thread-safe. Statements cannot write, touch other files or change settings: the transaction is read-only, and
    store/file.py has switched off external access and locked the configuration for good."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._root = connection.cursor()
        self._lock = threading.Lock()

    def query(self, sql: str, parameters: Sequence[Any], limit: int, limit_bytes: int, seconds: float) -> Answer:
        """One statement that reads. Raises QueryError, QueryTimeout, ResultTooLarge."""
        with self._cursor() as cursor, _deadline(cursor, seconds):
            try:
                statements = cursor.extract_statements(sql)
                if len(statements) != 1:
                    raise QueryError(f"{len(statements)} statements; exactly one is allowed")
                if statements[0].type not in {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}:
                    raise QueryError(
                        f"{statements[0].type.name} is not allowed; the database is read with SELECT, WITH, FROM, "
                        "VALUES, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN"
                    )
                check(cursor, sql, statements[0].type is duckdb.StatementType.EXPLAIN)
                # A relation is lazy: rows past the limits are never made.
                relation = cursor.sql(statements[0], params=list(parameters))
                columns = list(zip(relation.columns, map(str, relation.types), strict=True))
                return Answer(columns, Result(batches_of(relation), limit, limit_bytes))
            except Refused as refused:
                raise QueryError(str(refused)) from None
            except duckdb.InterruptException:
                raise QueryTimeout(
                    f"the statement took longer than {seconds:g} s and was stopped; filter by time or aggregate"
                ) from None
            except duckdb.Error as error:
                raise QueryError(str(error)) from None
            except (TypeError, RuntimeError) as error:
                # An interrupt between two batches arrives as the Arrow reader's own error.
                if "INTERRUPT" in str(error).upper():
                    raise QueryTimeout(f"the statement took longer than {seconds:g} s and was stopped") from None
                raise QueryError(str(error)) from None

    def node_history(self, node: str) -> list[dict[str, Any]]:
        """The changes of a node, newest first, at most 200."""
        with self._cursor() as cursor:
            rows = cursor.execute(
                "SELECT time_ns, op, state, wait_operation FROM node_change WHERE node = ? "
                "ORDER BY time_ns DESC, rowid DESC LIMIT ?",
                [node, _HISTORY],
            ).fetchall()
        return [
            {"time_ns": time_ns, "change": "state" if op == "upsert" else op, "state": state, "operation": operation}
            for time_ns, op, state, operation in rows
        ]

    def ended_node(self, node: str) -> dict[str, Any] | None:
        """A node that is not alive any more, as JSON of docs/api.md with state `gone`."""
        with self._cursor() as cursor:
            identity = cursor.execute(
                "SELECT process, kind, name, created_at, source, confidence FROM node WHERE node = ?", [node]
            ).fetchone()
            if identity is None:
                return None
            last = cursor.execute(
                "SELECT providers, steps, stack::VARCHAR, attributes::VARCHAR FROM node_change "
                "WHERE node = ? AND op <> 'lost' ORDER BY time_ns DESC, rowid DESC LIMIT 1",
                [node],
            ).fetchone()
        process, kind, name, created_at, source, confidence = identity
        providers, steps, stack, attributes = last or (None, None, None, None)
        frames: list[list[Any]] = orjson.loads(stack) if stack else []
        return {
            "id": node,
            "kind": kind,
            "name": name,
            "process": process,
            "created_at": created_at,
            "source": source,
            "confidence": confidence,
            "state": "gone",
            "providers": providers,
            "wait": None,
            "stack": [frame_to_json(Frame(*frame)) for frame in frames],
            "steps": steps,
            "attributes": orjson.loads(attributes) if attributes else {},
        }

    @contextmanager
    def _cursor(self) -> Generator[duckdb.DuckDBPyConnection]:
        with self._lock:
            cursor = self._root.cursor()
        try:
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            yield cursor
        finally:
            cursor.close()  # also ends the transaction


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
