# SPDX-License-Identifier: Apache-2.0
"""The lake in the place of the file, for whoever reads: every statement runs in a process of its own, for what
PostgreSQL's end does to it would end the head."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import duckdb

from ..store.arrow import rows_of_ipc
from ..store.database import Database
from ..store.reader import Reader
from ..store.sql_processes import SqlProcesses
from ..store.statement import Failure, Statement, StatementFailed
from .settings import LakeSettings

_FEW_ROWS, _FEW_BYTES, _FEW_SECONDS = 1_000, 16 << 20, 10.0


class LakeSource:
    """What sql_worker.py of this folder reads."""

    def __init__(self, settings: LakeSettings) -> None:
        self.path = settings.text()
        self.can_be_shared = True
        self.before_reading: Callable[[], None] = lambda: None

    def lease(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def reading(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        raise duckdb.NotSupportedError("the lake is read by other processes only")


class LakeReader(Reader):
    """Of all collectors. `database`: the head's own file, which is not read."""

    def __init__(self, database: Database, sql: SqlProcesses) -> None:
        super().__init__(database)
        self._sql = sql

    def rows(self, sql: str, parameters: list[Any], limit: int, limit_bytes: int, seconds: float) -> list[list[Any]]:
        try:
            answer = self._sql.run(Statement(sql, parameters, limit, limit_bytes, seconds, arrow=True))
        except OSError as error:
            raise StatementFailed(Failure.BUSY, f"the lake cannot be read now ({error}); try again") from None
        return rows_of_ipc(answer.content)

    def few(self, sql: str, *given: Any) -> Sequence[Sequence[Any]]:
        return self.rows(sql, list(given), _FEW_ROWS, _FEW_BYTES, _FEW_SECONDS)
