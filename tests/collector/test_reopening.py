# SPDX-License-Identifier: Apache-2.0
"""DuckDB gives a database up after a fatal error: it is closed and opened again, and the collector goes on."""

from __future__ import annotations

import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from peeps_collector.store.buffer import RowBuffer
from peeps_collector.store.database import Database
from peeps_collector.store.reader import Reader
from peeps_collector.store.schema import LOG
from peeps_collector.store.table_rows import rows_of
from peeps_collector.store.writer import Writer


def log_row(number: int) -> tuple[Any, ...]:
    text = f"{number} " + "".join(chr(33 + number * place % 90) for place in range(1, 1000))
    return ("p", "s", number, 0, None, None, text, None, None, "", "{}", number, *[None] * 7)


@contextmanager
def files_may_not_grow() -> Generator[None]:
    """Of this process, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def break_it(database: Database) -> None:
    with files_may_not_grow(), pytest.raises(duckdb.FatalException, match="Failed to create checkpoint"):
        database.connection.execute("CHECKPOINT")
    assert not database.is_usable()


def count(reader: Reader) -> int:
    return reader.rows("SELECT count(*) FROM log", [], 1, 1000, 5.0)[0][0]


def test_it_is_opened_again_and_nothing_is_lost(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.duckdb"), "1GB")
    rows = RowBuffer(10_000)
    writer, reader = Writer(database, rows, retention=1.0), Reader(database)
    rows.add_request(rows_of(LOG.name, [log_row(number) for number in range(1000)]), request=1)
    writer.flush()
    break_it(database)

    rows.add_request(rows_of(LOG.name, [log_row(1000)]), request=2)
    writer.flush()
    assert (writer.failure, writer.is_shut, database.reopened) == ("", False, 1)
    assert count(reader) == 1001
    assert writer.position.low == 2
    with database.leases.reading():  # the lock of the file is ours again, too
        pass
    database.close()


def test_a_reader_delays_it_and_senders_are_told_to_come_again(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.duckdb"), "1GB")
    rows = RowBuffer(10_000)
    writer, reader = Writer(database, rows, retention=1.0), Reader(database)
    rows.add_request(rows_of(LOG.name, [log_row(number) for number in range(1000)]), request=1)
    writer.flush()
    with database.reading():
        break_it(database)
        rows.add_request(rows_of(LOG.name, [log_row(1000)]), request=2)
        writer.flush()
        assert writer.is_shut
        assert "cannot be opened again yet" in writer.failure
        assert writer.position.low == 1, "what is not written is not called written"

    writer.flush()
    assert (writer.failure, writer.is_shut, count(reader), writer.position.low) == ("", False, 1001, 2)
    database.close()


def test_it_stays_shut_while_the_file_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    database = Database(str(path), "1GB")
    rows = RowBuffer(10_000)
    writer, reader = Writer(database, rows, retention=1.0), Reader(database)
    rows.add(LOG.name, [log_row(number) for number in range(1000)])
    writer.flush()
    break_it(database)

    hidden = path.with_suffix(".away")
    path.rename(hidden)
    path.mkdir()
    writer.flush()
    assert writer.is_shut
    with pytest.raises(duckdb.Error):
        count(reader)
    path.rmdir()
    hidden.rename(path)
    writer.flush()
    assert (writer.failure, count(reader)) == ("", 1000)
    database.close()
