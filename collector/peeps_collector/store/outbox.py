# SPDX-License-Identifier: Apache-2.0
"""Where the writer leaves what it commits for somebody who takes it further."""

from __future__ import annotations

from typing import Any, Protocol

import duckdb


class Outbox(Protocol):
    """Used by the writer's thread, around each of its transactions."""

    def add(self, table: str, rows: Any) -> None:
        """An Arrow table that the transaction inserts."""
        ...

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Before the commit, in the transaction: what was added is on the disk after it. Raises
        duckdb.Error."""
        ...

    def settle(self, connection: duckdb.DuckDBPyConnection) -> None:
        """After the transaction, whatever became of it: what it has committed may go. Raises
        duckdb.Error."""
        ...


class NoOutbox:
    """Nobody takes it further."""

    def add(self, table: str, rows: Any) -> None:
        """Nothing."""

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Nothing."""

    def settle(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Nothing."""
