# SPDX-License-Identifier: Apache-2.0
"""The connections to the catalog are cut, as by a network or a PostgreSQL that is started anew."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.collector import sender
from tests.support.lake import Lake
from tests.support.processes import end
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def cut(catalog: str) -> int:
    """Ends every other connection to its database; how many."""
    with psycopg.connect(catalog, autocommit=True) as connection:
        found = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return len(found)


def test_rows_arrive_once_though_the_catalog_is_lost_again_and_again(lake: Lake, tmp_path: Path) -> None:
    collector, notes = lake.start("one"), tmp_path / "notes.txt"
    words = [sys.executable, sender.__file__, collector.otlp, str(notes), "0"]
    sending = subprocess.Popen(words, stdin=subprocess.PIPE)
    try:
        eventually(lambda: collector.get("/health")["lake"]["shipped"]["rows"], "something is there")
        cuts = 0
        for _ in range(5):
            cuts += eventually(lambda: cut(lake.catalog), "a connection to cut")
            time.sleep(0.5)
    finally:
        end(sending)
    acknowledged = {int(line) for line in notes.read_text().split()}
    assert cuts >= 5
    assert collector.process.poll() is None

    def nothing_waits() -> bool:
        status = collector.get("/health")
        return (
            not status["lake"]["waiting_bytes"]
            and not status["pending_rows"]
            and not status["lake"]["shipped"]["failure"]
        )

    eventually(nothing_waits, "all has gone")
    rows = lake.sql("SELECT split_part(name, '-', 1)::BIGINT, count(*), count(DISTINCT name) FROM span GROUP BY 1")
    stored = {number: (rows, names) for number, rows, names in rows}
    assert acknowledged - stored.keys() == set()
    assert set(stored.values()) == {(sender.SPANS, sender.SPANS)}


def test_a_head_that_loses_the_catalog_ends(lake: Lake) -> None:
    head = lake.start("head", "head")
    eventually(lambda: head.get("/health")["lake"]["members"], "it is known")
    cut(lake.catalog)
    assert head.process.wait(30) == 1
    assert "another head may have the lead" in head.errors()
