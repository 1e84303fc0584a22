# SPDX-License-Identifier: Apache-2.0
"""What a collector is to others: by itself it has one file, and nobody beside it. lake/ has the other roles."""

from __future__ import annotations

from typing import Any, Protocol

import duckdb

from .graph.live import LiveGraph
from .receive.request import Encoding, Signal
from .requests_out import ProcessRequests
from .store.buffer import RowBuffer
from .store.database import Database
from .store.file import ended_findings
from .store.outbox import NoOutbox, Outbox
from .store.reader import Reader
from .store.sql_processes import SqlProcesses


class Role(Protocol):
    """In the order in which it is used: `outbox` to `offer` are of the time before `start`."""

    outbox: Outbox
    sql_seconds: float
    """How long a statement of a stranger may take."""
    tells_ends: bool
    """Whether it says of the calls of a process that was killed that they are lost: of one process, one collector."""

    def rows(self, limit: int) -> RowBuffer:
        """What takes the rows on their way to the file."""
        ...

    def sql(self) -> SqlProcesses:
        """What runs the statements of strangers."""
        ...

    def reader(self, sql: SqlProcesses) -> Reader:
        """What the history is read from."""
        ...

    def ended_findings(self) -> list[dict[str, Any]]:
        """Of earlier runs, newest first."""
        ...

    def replayed(self, connection: duckdb.DuckDBPyConnection) -> None:
        """What an earlier run had not stored is in the file."""
        ...

    def offer(self, signal: Signal, encoding: Encoding, body: bytes) -> None:
        """Something was taken in. On any thread, and does not wait."""
        ...

    def start(self, otlp: str, api: str, live: LiveGraph, requests: ProcessRequests) -> None:
        """It listens there: `host:port`. `live`, `requests`: of the programs that send to it."""
        ...

    def stop(self) -> None:
        """Everything is in the file."""
        ...

    def status(self) -> dict[str, Any] | None:
        """For `GET /health`; None where there is nothing to say."""
        ...

    @property
    def file(self) -> Database | None:
        """What `GET /api/recording` copies; None where the file has not the history."""
        ...

    @property
    def failure(self) -> str:
        """Why others do not have what they should; empty where they do."""
        ...


class Alone:
    """One collector, one file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.outbox: Outbox = NoOutbox()
        self.sql_seconds = 5.0
        self.tells_ends = True

    def rows(self, limit: int) -> RowBuffer:
        return RowBuffer(limit)

    def sql(self) -> SqlProcesses:
        return SqlProcesses(self._database)

    def reader(self, sql: SqlProcesses) -> Reader:
        return Reader(self._database)

    def ended_findings(self) -> list[dict[str, Any]]:
        return ended_findings(self._database.connection)

    def replayed(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Nobody is to be told."""

    def offer(self, signal: Signal, encoding: Encoding, body: bytes) -> None:
        """Nobody is to be told."""

    def start(self, otlp: str, api: str, live: LiveGraph, requests: ProcessRequests) -> None:
        """Nobody is to be told."""

    def stop(self) -> None:
        """Nobody is to be told."""

    def status(self) -> dict[str, Any] | None:
        return None

    @property
    def file(self) -> Database | None:
        return self._database

    @property
    def failure(self) -> str:
        return ""
