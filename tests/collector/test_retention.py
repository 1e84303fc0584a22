# SPDX-License-Identifier: Apache-2.0
"""Old history goes, and the file keeps to its limit; what is alive stays."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from peeps_collector.store.buffer import RowBuffer
from peeps_collector.store.database import Database
from peeps_collector.store.retention import Retention, file_bytes
from peeps_collector.store.schema import LOG, NODE_CHANGE
from peeps_collector.store.writer import Writer

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


def log_row(body: str, received_ns: int) -> tuple[Any, ...]:
    return ("p", "s", received_ns, 0, None, None, body, None, None, "", "{}", received_ns, *[None] * 7)


def change_row(node: str, op: str, time_ns: int) -> tuple[Any, ...]:
    return (time_ns, "p", node, op, *[None] * 9, None, "{}")


def test_retention_keeps_the_state_of_what_is_alive(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.duckdb"), "1GB")
    connection = database.connection
    now = time.time_ns()
    rows = RowBuffer(1000)
    writer = Writer(database, rows, retention=1.0, clock=lambda: now)
    rows.add(LOG.name, [log_row("old", now - 2 * HOUR), log_row("new", now)])
    rows.add(
        NODE_CHANGE.name,
        [
            change_row("alive", "upsert", now - 9 * HOUR),
            change_row("alive", "upsert", now - 8 * HOUR),
            change_row("ended", "upsert", now - 8 * HOUR),
            change_row("ended", "gone", now - 7 * HOUR),
            change_row("alive", "upsert", now),
        ],
    )
    writer.flush()
    writer.delete_old()
    assert connection.execute("SELECT body FROM log").fetchall() == [("new",)]
    left = connection.execute("SELECT node, time_ns FROM node_change ORDER BY time_ns").fetchall()
    assert left == [("alive", now - 8 * HOUR), ("alive", now)]
    assert writer.failure == ""
    connection.close()


def test_the_file_does_not_grow_beyond_its_limit_and_what_is_alive_stays(tmp_path: Path) -> None:
    """What is deleted is the oldest of who has most; the others lose nothing."""
    most, chance = 12 << 20, random.Random(1)  # of 48 MB that are written
    database = Database(str(tmp_path / "x.duckdb"), "1GB")
    rows, now = RowBuffer(1 << 30), time.time_ns()
    retention = Retention(database, 1.0, most, database.leases.checkpoint)
    writer = Writer(database, rows, retention, clock=lambda: now)
    rows.add(NODE_CHANGE.name, [change_row("alive", "upsert", now - 9 * HOUR)])
    rows.add(LOG.name, [("quiet", *log_row("still here", now - 50 * 60 * SECOND)[1:])])
    sizes: list[int] = []
    for turn in range(60):
        texts = [chance.randbytes(400).hex() for _ in range(1000)]
        rows.add(LOG.name, [log_row(text, now - (60 - turn) * SECOND) for text in texts])
        writer.flush()
        if retention.is_too_large():
            assert writer.delete_old()
        sizes.append(file_bytes(database.path))
    database.leases.checkpoint()
    assert max(sizes) < 2.5 * most, "rows are written anew a group at a time, which this file has only one of"
    assert (writer.failure, retention.warning) == ("", "")
    connection = database.connection
    assert connection.execute("SELECT body FROM log WHERE process = 'quiet'").fetchall() == [("still here",)]
    [(count, oldest)] = connection.execute("SELECT count(*), min(received_ns) FROM log WHERE process = 'p'").fetchall()
    assert 1000 < count < 30_000
    assert oldest > now - 60 * SECOND
    assert connection.execute("SELECT node FROM node_change").fetchall() == [("alive",)]
    database.close()


def test_a_file_of_what_is_alive_alone_is_told(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.duckdb"), "1GB")
    rows, now = RowBuffer(1 << 30), time.time_ns()
    retention = Retention(database, 1.0, 1000, database.leases.checkpoint)
    writer = Writer(database, rows, retention, clock=lambda: now)
    rows.add(NODE_CHANGE.name, [change_row(f"alive {number}", "upsert", now) for number in range(100)])
    writer.flush()
    writer.delete_old()
    assert retention.warning == "the database is larger than PEEPS_DB_BYTES=1000 with what is alive alone"
    assert database.connection.execute("SELECT count(*) FROM node_change").fetchall() == [(100,)]
    database.close()
