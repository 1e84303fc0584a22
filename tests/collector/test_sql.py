# SPDX-License-Identifier: Apache-2.0
"""POST /api/sql: reads, and nothing but reads, within limits."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from peeps_collector.store import database as database_module
from peeps_collector.store.database import Database
from peeps_collector.store.sql_processes import SqlProcesses
from peeps_collector.store.statement import Failure, Statement, StatementFailed
from tests.collector.collector_support import Running, event, logs_request
from tests.support.network import Answer, http
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def api(shared: Running) -> Running:
    return shared


def ask(api: Running, sql: Any, **more: Any) -> Answer:
    headers = {"accept": more.pop("accept")} if "accept" in more else {}
    return http(f"http://{api.api}/api/sql", json.dumps({"sql": sql} | more).encode(), headers)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT 1 AS a, 2 AS a", [[1, 2]]),
        ("FROM range(2)", [[0], [1]]),
        ("WITH x AS (SELECT 1) SELECT * FROM x;", [[1]]),
        ("VALUES (1), (2)", [[1], [2]]),
        ("SELECT sum(x) FROM range(3) t(x)", [[3]]),
        ("SELECT 170141183460469231731687303715884105727::HUGEINT", [["170141183460469231731687303715884105727"]]),
        ("SELECT 1.5::DECIMAL(4,2), 'nan'::DOUBLE, NULL", [["1.50", None, None]]),
        ("SELECT [1, 2], {'a': 1}, '{\"x\": 1}'::JSON", [[[1, 2], {"a": 1}, '{"x": 1}']]),
        ("SELECT DATE '2026-01-02', 'ab'::BLOB", [["2026-01-02", "6162"]]),
        ("SELECT count(*) FROM finding", [[0]]),
    ],
)
def test_reading(api: Running, sql: str, rows: list[list[Any]]) -> None:
    answer = ask(api, sql)
    assert answer.status == 200, answer.body
    assert answer.json()["rows"] == rows


@pytest.mark.parametrize("sql", ["EXPLAIN SELECT 1", "SHOW TABLES", "DESCRIBE span", "SUMMARIZE span"])
def test_looking_around(api: Running, sql: str) -> None:
    assert ask(api, sql).status == 200


def test_parameters_and_types(api: Running) -> None:
    answer = ask(api, "SELECT ? AS a, $2::VARCHAR AS b".replace("?", "$1"), parameters=[5, "x"]).json()
    assert answer["rows"] == [[5, "x"]]
    assert [column["name"] for column in answer["columns"]] == ["a", "b"]
    assert answer["columns"][1]["type"] == "VARCHAR"
    assert answer["now_ns"] > 0


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM log",
        "INSERT INTO meta VALUES ('a', 'b')",
        "WITH x AS (DELETE FROM log RETURNING *) SELECT * FROM x",
        "EXPLAIN ANALYZE DELETE FROM log",
        "CREATE TABLE x (a INT)",
        "CREATE TEMP TABLE x (a INT)",
        "DROP TABLE log",
        "ATTACH 'other.duckdb'",
        "COPY log TO 'x.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA enable_profiling",
        "SET threads = 1",
        "SET lock_configuration = false",
        "CALL force_checkpoint()",
        "CHECKPOINT",
        "COMMIT",
        "SELECT 1; DELETE FROM log",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT nonsense",
        "SELEC 1",
        "",
        "   ",
        "-- nothing",
        5,
        None,
    ],
)
def test_everything_else_is_refused(api: Running, sql: Any) -> None:
    answer = ask(api, sql)
    assert answer.status == 400
    assert answer.json()["error"]["field"] == "sql"
    assert answer.json()["error"]["message"]
    assert ask(api, "SELECT count(*) > 0 FROM meta").json()["rows"] == [[True]]


def test_the_row_limit_cuts_and_says_so(api: Running) -> None:
    answer = ask(api, "FROM range(50000)", limit=10).json()
    assert (len(answer["rows"]), answer["truncated"]) == (10, True)
    assert len(ask(api, "FROM range(50000)").json()["rows"]) == 10_000
    exact = ask(api, "FROM range(10)", limit=10).json()
    assert (len(exact["rows"]), exact["truncated"]) == (10, False)
    assert ask(api, "SELECT 1", limit=10_001).json()["error"]["field"] == "limit"


def test_the_byte_limit(api: Running) -> None:
    answer = ask(api, "SELECT repeat('x', 10000) FROM range(9000)")
    assert answer.status == 413
    assert "16777216 bytes" in answer.json()["error"]["message"]


def test_arrow(api: Running) -> None:
    kind = "application/vnd.apache.arrow.stream"
    answer = ask(api, "SELECT range AS n FROM range(20000)", accept=kind, limit=15_000)
    assert answer.headers["content-type"] == kind
    assert answer.headers["x-peeps-truncated"] == "true"
    pa: Any = importlib.import_module("pyarrow")  # it has no types
    table = pa.ipc.open_stream(io.BytesIO(answer.body)).read_all()
    assert table.num_rows == 15_000
    assert table["n"][14_999].as_py() == 14_999


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"sql": "SELECT 1", "parameters": 5}'])
def test_bad_bodies(api: Running, body: bytes) -> None:
    assert http(f"http://{api.api}/api/sql", body).status == 400


@pytest.fixture(params=["apart", "here"])
def processes(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SqlProcesses]:
    """`here`: as where a second process cannot have the file."""
    path = str(tmp_path / "x.duckdb")
    database = Database(path, "1GB")

    def can_be_shared(_: object) -> bool:
        return request.param == "apart"

    monkeypatch.setattr(database_module, "can_be_shared", can_be_shared)
    made = SqlProcesses(database)
    yield made
    made.stop()
    database.close()


def statement(sql: str, seconds: float = 5.0) -> Statement:
    return Statement(sql, [], 10, 1000, seconds, arrow=False)


def test_the_time_limit_stops_the_statement(processes: SqlProcesses) -> None:
    with pytest.raises(StatementFailed, match=r"longer than 0\.2 s") as raised:
        processes.run(statement("SELECT count(*) FROM range(10000000000) a, range(1000) b", 0.2))
    assert raised.value.failure is Failure.TIME
    assert orjson.loads(processes.run(statement("SELECT 1 AS a")).content) == {
        "columns": [{"name": "a", "type": "INTEGER"}],
        "rows": [[1]],
        "truncated": False,
    }


def test_reading_does_not_stop_writing(api: Running) -> None:
    for _ in range(5):
        ask(api, "SELECT 1")
    api.send(logs_request(event("note", body="written after reading")))
    eventually(lambda: api.sql("SELECT count(*) FROM log WHERE body = 'written after reading'") == [[1]])


_DOUBLING = "WITH RECURSIVE t AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM t WHERE length(s) < 4e9) FROM t"
_UNBOUND = [
    "SELECT length(repeat('x', 4000000000))",
    "SELECT length('x'.repeat(4000000000))",
    "SELECT length(repeat('x', (SELECT 4000000000)))",
    "SELECT list_sum(range(3000000000))",
    "SELECT len(generate_series(1, 3000000000))",
    "SELECT length(lpad('x', 2000000000, 'y'))",
    "SELECT length(printf('%2000000000d', 1))",
]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not limit address space")
@pytest.mark.parametrize("sql", [*_UNBOUND, _DOUBLING])
def test_what_has_no_bound_ends_at_its_limits_and_takes_nobody_with_it(api: Running, sql: str) -> None:
    answer = ask(api, sql)
    assert answer.status in {413, 504}
    assert "was stopped" in answer.json()["error"]["message"]
    assert ask(api, "SELECT 1").json()["rows"] == [[1]]


@pytest.mark.parametrize("processes", ["here"], indirect=True)
@pytest.mark.parametrize("sql", _UNBOUND)
def test_without_a_process_of_its_own_it_is_not_begun(processes: SqlProcesses, sql: str) -> None:
    with pytest.raises(StatementFailed, match="allowed") as raised:
        processes.run(statement(sql))
    assert raised.value.failure is Failure.REFUSED


@pytest.mark.parametrize("processes", ["apart"], indirect=True)
def test_the_end_of_the_collector_does_not_wait_for_a_statement(processes: SqlProcesses) -> None:
    failures: list[StatementFailed] = []

    def run() -> None:
        try:
            processes.run(statement("SELECT sum(x * y) FROM range(10000000000) a(x), range(1000) b(y)", 500.0))
        except StatementFailed as failed:
            failures.append(failed)

    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: processes.running == 1)
    processes.stop()
    thread.join(20)
    assert [(failed.failure, str(failed)) for failed in failures] == [(Failure.BUSY, "the collector ends")]


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_others_may_read_the_file_during_a_lease_and_never_write_it(tmp_path: Path) -> None:
    path = str(tmp_path / "x.duckdb")
    database = Database(path, "1GB")

    def opened(read_only: bool) -> str:
        code = (
            f"import duckdb; print(duckdb.connect({path!r}, read_only={read_only}).sql('FROM meta').fetchall() != [])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        return done.stdout.strip() or ("locked" if "lock on file" in done.stderr else done.stderr)

    assert (opened(read_only=True), opened(read_only=False)) == ("locked", "locked")
    with database.leases.reading():
        database.connection.execute("INSERT INTO meta VALUES ('written', 'meanwhile')")
        assert (opened(read_only=True), opened(read_only=False)) == ("True", "locked")
    assert (opened(read_only=True), opened(read_only=False)) == ("locked", "locked")
    database.close()
    assert opened(read_only=False) == "True"


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("EXPLAIN ANALYZE CREATE TABLE x (a INT)", "EXPLAIN"),
        ("EXPLAIN ANALYZE SELECT repeat('x', 4000000000)", "EXPLAIN"),
        ("SELECT * FROM checkpoint()", "checkpoint() is not allowed: it writes"),
        ("SELECT write_log('x')", "write_log() is not allowed: it writes"),
    ],
)
def test_what_writes_is_not_run(api: Running, sql: str, words: str) -> None:
    answer = ask(api, sql)
    assert answer.status == 400
    assert words in answer.json()["error"]["message"]


def test_what_is_large_within_the_limits_is_run(api: Running) -> None:
    assert api.sql("SELECT length(repeat('ab', 1000000)), length(printf('%50d', 1))") == [[2000000, 50]]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
        {"sec-fetch-site": "same-site"},
        {"host": "evil.example"},
    ],
)
def test_no_other_page_can_send_a_statement_or_a_record(api: Running, headers: dict[str, str]) -> None:
    plain = {"content-type": "text/plain"} | headers
    assert http(f"http://{api.api}/api/sql", b'{"sql": "SELECT 1"}', plain).status == 403
    assert http(f"http://{api.otlp}/v1/logs", b"{}", {"content-type": "application/json"} | headers).status == 403
