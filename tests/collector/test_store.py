# SPDX-License-Identifier: Apache-2.0
"""The database file: it survives `kill -9`, is refused where it is not ours, and is what docs/schema.md says."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pytest

from peeps_collector.store import writer as writing
from peeps_collector.store.buffer import RowBuffer
from peeps_collector.store.database import Database
from peeps_collector.store.file import StoreError, open_database
from peeps_collector.store.schema import LOG, TABLES
from peeps_collector.store.table_rows import rows_of
from peeps_collector.store.upkeep import vacuum
from peeps_collector.store.writer import Writer
from tests.collector.collector_support import Deadlock, Program, Running, event, logs_request
from tests.support.processes import peeps
from tests.support.waiting import eventually

HOUR = 3_600_000_000_000


def test_kill_9_loses_nothing_that_was_acknowledged(start: Any) -> None:
    collector: Running = start()
    program, deadlock = Program(), Deadlock()
    collector.send(program.snapshot(*deadlock.graph(), key_frame=True))
    collector.send(logs_request(event("note", body="first")))
    eventually(lambda: collector.sql("SELECT count(*) FROM log") == [[1]])
    eventually(lambda: collector.sql("SELECT count(*) FROM node") == [[5]])
    for number in range(20):  # in the middle of work
        collector.send(logs_request(event("note", body=f"later {number}")))
    collector.process.kill()
    collector.process.wait(20)

    again: Running = start(database=collector.database)
    kept = [body for (body,) in again.sql("SELECT body FROM log ORDER BY time_ns")]
    assert kept == ["first", *(f"later {number}" for number in range(20))]
    assert again.sql("SELECT op, count(*) FROM node_change GROUP BY op ORDER BY op") == [["lost", 5], ["upsert", 5]]
    assert again.sql("SELECT DISTINCT state FROM process WHERE process = 'app-1'") == [["gone"]]
    ended = again.get(f"/api/node/{deadlock.a}")["node"]
    assert (ended["name"], ended["state"], ended["stack"][0]["file"]) == ("worker-a", "gone", "app.py")


def test_a_restarted_collector_goes_on_with_the_same_nodes(start: Any) -> None:
    collector: Running = start()
    program, deadlock = Program(), Deadlock()
    nodes, edges = deadlock.graph()
    collector.send(program.snapshot(nodes, edges, key_frame=True))
    collector.stop()
    again: Running = start(database=collector.database)
    nodes[0].name = "renamed"
    again.send(program.snapshot(nodes, edges, key_frame=True))
    eventually(lambda: again.sql("SELECT count(*) FROM node_change WHERE op = 'upsert'") == [[10]])
    assert again.sql("SELECT count(*) FROM node") == [[5]]
    assert again.sql("SELECT name FROM node WHERE node = $1", deadlock.a) == [["renamed"]]
    assert again.sql("SELECT op, count(*) FROM edge_change GROUP BY op ORDER BY op") == [["add", 10], ["lost", 5]]


def test_a_clean_end_stores_everything_and_says_nothing(start: Any) -> None:
    collector: Running = start()
    collector.send(logs_request(event("note", body="last words")))
    assert collector.stop() == ""
    assert collector.process.returncode == 0
    connection = duckdb.connect(str(collector.database), read_only=True)
    assert connection.execute("SELECT body FROM log").fetchall() == [("last words",)]
    told = connection.execute("SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal")
    assert told.fetchall() == [("v1.5.0+",)]
    connection.close()


@pytest.mark.skipif(sys.platform != "linux" or find_spec("pandas") is None, reason="reads /proc; needs pandas")
def test_pandas_is_not_loaded_although_it_is_there(collector: Running) -> None:
    nodes, edges = Deadlock().graph()
    collector.send(Program().snapshot(nodes, edges, key_frame=True))
    eventually(lambda: collector.sql("SELECT count(*) FROM node")[0][0] >= len(nodes))
    mapped = Path(f"/proc/{collector.process.pid}/maps").read_text()
    assert ("pyarrow" in mapped, "pandas" in mapped) == (True, False)


def test_a_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    open_database(str(path), "1GB").close()
    connection = duckdb.connect(str(path))
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    with pytest.raises(StoreError, match="schema version 99; this collector writes version 2"):
        open_database(str(path), "1GB")


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs.duckdb"
    connection = duckdb.connect(str(path))
    connection.execute("CREATE TABLE customers (name VARCHAR)")
    connection.close()
    with pytest.raises(StoreError, match="is not a database of peeps"):
        open_database(str(path), "1GB")
    (tmp_path / "text").write_text("hello " * 1000)
    with pytest.raises(StoreError, match="set PEEPS_DB to another file"):
        open_database(str(tmp_path / "text"), "1GB")


def spoil(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize(("offset", "size"), [(4096, 8000), (12288, 3000)])
def test_a_corrupt_file_is_said_to_be_and_kept_aside(tmp_path: Path, offset: int, size: int) -> None:
    path = tmp_path / "x.duckdb"
    open_database(str(path), "1GB").close()
    spoil(path, offset, b"\xff" * size)
    spoiled = path.read_bytes()
    warnings: list[str] = []
    open_database(str(path), "1GB", warnings).close()
    (aside,) = tmp_path.glob("x.duckdb.corrupt-*")
    assert aside.read_bytes() == spoiled
    assert len(warnings) == 1
    assert "is corrupt (Corrupt database file: computed checksum" in warnings[0]
    assert f"moved to {aside}" in warnings[0]


def test_a_garbage_log_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    open_database(str(path), "1GB").close()
    Path(f"{path}.wal").write_bytes(b"garbage" * 50)
    warnings: list[str] = []
    open_database(str(path), "1GB", warnings).close()
    (aside,) = tmp_path.glob("x.duckdb.wal.damaged-*")
    assert aside.read_bytes() == b"garbage" * 50
    assert "is not a write-ahead log of DuckDB" in warnings[0]


def test_half_a_schema_and_too_little_memory_are_said_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    open_database(str(path), "1GB").close()
    with pytest.raises(StoreError, match=r"PEEPS_DB_MEMORY=1KB is too little|cannot be used"):
        open_database(str(path), "1KB")
    connection = duckdb.connect(str(path))
    connection.execute("DROP TABLE span")
    connection.execute("DROP TABLE log")
    connection.close()
    with pytest.raises(StoreError, match="has only half of its tables: log, span is missing"):
        open_database(str(path), "1GB")


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    open_database(str(path), "1GB").close()
    connection = duckdb.connect(str(path))
    connection.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
    connection.execute("DROP TABLE resource")
    connection.execute("ALTER TABLE span DROP COLUMN trace_state")
    connection.close()
    connection = open_database(str(path), "1GB")
    assert connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall() == [("2",)]
    assert connection.execute("SELECT trace_state FROM span").fetchall() == []
    assert connection.execute("SELECT * FROM resource").fetchall() == []
    connection.close()


def test_the_attributes_of_spans_take_little_room_also_after_a_vacuum(tmp_path: Path) -> None:
    path = str(tmp_path / "peeps.duckdb")
    with open_database(path, "1GB") as connection:
        connection.execute(
            """INSERT INTO span (attributes) SELECT json_object('http.route', '/orders/{id}', 'url.path',
               '/orders/' || md5(range::VARCHAR), 'server.address', 'shop.internal') FROM range(20_000)"""
        )
    vacuum(path)
    with duckdb.connect(path, read_only=True) as connection:  # by any DuckDB
        found = connection.execute("SELECT count(DISTINCT attributes->>'$.\"url.path\"') FROM span").fetchall()
        used = connection.execute(
            """SELECT DISTINCT compression FROM pragma_storage_info('span')
               WHERE column_name = 'attributes' AND segment_type <> 'VALIDITY'"""
        ).fetchall()
    assert (found, used) == ([(20_000,)], [("ZSTD",)])


def test_two_collectors_cannot_share_a_file(collector: Running) -> None:
    second = peeps(
        "collector",
        PEEPS_LISTEN="127.0.0.1:0",
        PEEPS_OTLP_GRPC="off",
        PEEPS_OTLP_HTTP="off",
        PEEPS_API="127.0.0.1:0",
        PEEPS_DB=str(collector.database),
    )
    assert second.returncode == 2
    assert "another program has it open" in second.stderr


def log_row(body: str, received_ns: int) -> tuple[Any, ...]:
    return ("p", "s", received_ns, 0, None, None, body, None, None, "", "{}", received_ns, *[None] * 7)


def test_a_row_that_does_not_fit_costs_only_itself(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "x.duckdb"), "1GB")
    connection = database.connection
    rows = RowBuffer(1000)
    writer = Writer(database, rows, retention=1.0)
    rows.add(LOG.name, [log_row("good", 1), log_row("too far", 1 << 70), log_row("\ud800", 2), log_row("fine", 3)])
    writer.flush()
    assert connection.execute("SELECT body FROM log ORDER BY time_ns").fetchall() == [("good",), ("fine",)]
    assert rows.dropped == 2
    connection.close()


def test_a_full_buffer_says_so_and_drops_nothing() -> None:
    rows = RowBuffer(3)
    rows.add("log", [log_row("a", 1)] * 2)
    assert not rows.full
    rows.add_request(rows_of("log", [log_row("b", 1)] * 2), request=7)
    assert rows.full
    taken, requests = rows.take()
    assert (len(taken["log"]), requests) == (4, [7])
    assert rows.full, "what was taken is not stored yet"
    rows.stored()
    assert not rows.full


def test_a_full_buffer_is_written_at_the_next_tick_however_few_rows_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_LONGEST_SECONDS", 1e9)
    database = Database(str(tmp_path / "x.duckdb"), "1GB")
    rows = RowBuffer(3)
    writer = Writer(database, rows, retention=1.0)
    writer.start()
    rows.add(LOG.name, [log_row("a", 1)] * 3)
    eventually(lambda: writer.ticks)
    assert not rows.full
    writer.stop()
    database.close()


def test_the_document_is_the_schema(tmp_path: Path) -> None:
    connection = open_database(str(tmp_path / "x.duckdb"), "1GB")
    found = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
    ).fetchall()
    text = (Path(__file__).parents[2] / "docs" / "schema.md").read_text()
    described: list[tuple[str, str, str]] = []
    table = ""
    for line in text.splitlines():
        if heading := re.match(r"## `(\w+)`", line):
            table = heading[1]
        elif column := re.match(r"\| `(\w+)` \| ([\w\[\]]+) \| \S", line):
            described.append((table, column[1], column[2]))
    assert sorted(described) == found
    assert {name for name, _, _ in found} == {*TABLES, "meta"}
    for example in re.findall(r"```sql\n(.*?)```", text, re.DOTALL):
        connection.execute(example)
    connection.close()
