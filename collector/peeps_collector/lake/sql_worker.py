# SPDX-License-Identifier: Apache-2.0
"""The process in which statements on the lake run. It keeps its connection from one statement to the next, each of
which sees what was committed before it, and makes a new one where that one does not answer any more."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import duckdb

from ..store.schema import FINDING_EVENT
from ..store.sql_worker import lock_down, main
from ..store.statement import Failure, StatementFailed
from .connection import connect, data_path
from .settings import LakeError, LakeSettings

_kept: dict[str, duckdb.DuckDBPyConnection] = {}


@contextmanager
def connected(text: str) -> Generator[duckdb.DuckDBPyConnection]:
    """`text`: of LakeSettings. Raises StatementFailed."""
    connection = _kept.pop(text, None)
    if connection is None:
        try:
            connection = _open(LakeSettings.of(text))
        except (duckdb.Error, LakeError) as error:
            words = str(error).splitlines()[0]
            raise StatementFailed(Failure.BUSY, f"the lake cannot be read now ({words}); try again") from None
    try:
        yield connection
    finally:
        if _answers(connection):
            _kept[text] = connection
        else:
            connection.close()


def _answers(connection: duckdb.DuckDBPyConnection) -> bool:
    try:
        connection.execute(f"SELECT max(batch) FROM {FINDING_EVENT.name} LIMIT 0").fetchall()
    except duckdb.Error:
        return False
    return True


def _open(settings: LakeSettings) -> duckdb.DuckDBPyConnection:
    connection = connect(settings, read_only=True)
    folder = data_path(settings).replace("'", "''")
    connection.execute(f"SET allowed_directories=['{folder}']")
    lock_down(connection)
    return connection


if __name__ == "__main__":
    raise SystemExit(main(connected))
