# SPDX-License-Identifier: Apache-2.0
"""POST /api/sql: reads, and nothing but reads, within limits."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pytest

from peeps_collector.store.file import open_database
from peeps_collector.store.reader import QueryTimeout, Reader
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
    table = pa.ipc.open_stream(io.BytesIO(answer.body)).read_all()
    assert table.num_rows == 15_000
    assert table["n"][14_999].as_py() == 14_999


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"sql": "SELECT 1", "parameters": 5}'])
def test_bad_bodies(api: Running, body: bytes) -> None:
    assert http(f"http://{api.api}/api/sql", body).status == 400


def test_the_time_limit_stops_the_statement(tmp_path: Any) -> None:
    connection = open_database(str(tmp_path / "x.duckdb"), "1GB")
    reader = Reader(connection)
    with pytest.raises(QueryTimeout, match=r"longer than 0\.2 s"):
        reader.query("SELECT count(*) FROM range(10000000000) a, range(1000) b", [], 10, 1000, 0.2)
    assert reader.query("SELECT 1", [], 10, 1000, 5).result.rows() == [[1]]
    connection.close()


def test_reading_does_not_stop_writing(api: Running) -> None:
    for _ in range(5):
        ask(api, "SELECT 1")
    api.send(logs_request(event("note", body="written after reading")))
    eventually(lambda: api.sql("SELECT count(*) FROM log WHERE body = 'written after reading'") == [[1]])


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT repeat('x', 4000000000)", "repeat() is allowed with a size"),
        ("SELECT length('x'.repeat(4000000000))", "repeat() is allowed with a size"),
        ("SELECT repeat(repeat(repeat('x', 1000), 1000), 1000)", "together"),
        ("SELECT repeat('x', (SELECT 4000000000))", "written as a number"),
        ("SELECT list_sum(range(3000000000))", "range() is allowed with a size"),
        ("SELECT len(generate_series(1, 3000000000))", "generate_series() is allowed"),
        ("SELECT lpad('x', 2000000000, 'y')", "lpad() is allowed with a size"),
        ("WITH a AS (SELECT rpad('x', 2000000000, 'y') AS s) SELECT length(s) FROM a", "rpad() is allowed"),
        ("SELECT printf('%2000000000d', 1)", "printf() is not allowed"),
        ("EXPLAIN ANALYZE CREATE TABLE x (a INT)", "EXPLAIN"),
        ("EXPLAIN ANALYZE SELECT repeat('x', 4000000000)", "EXPLAIN"),
        ("EXPLAIN SELECT repeat('x', 4000000000)", "repeat() is allowed with a size"),
        ("SELECT * FROM checkpoint()", "checkpoint() is not allowed: it writes"),
        ("SELECT write_log('x')", "write_log() is not allowed: it writes"),
        ("SELECT * FROM query('SELECT repeat(''x'', 4000000000)')", "query() is not allowed"),
    ],
)
def test_what_could_not_be_interrupted_or_writes_is_not_run(api: Running, statement: str, words: str) -> None:
    answer = http(f"http://{api.api}/api/sql", json.dumps({"sql": statement}).encode())
    assert answer.status == 400
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("SELECT repeat('ab', 3)", [["ababab"]]),
        ("SELECT lpad('7', 3, '0')", [["007"]]),
        ("SELECT sum(x) FROM range(1000000) t(x)", [[499999500000]]),
        ("SELECT [x * 2 FOR x IN range(3)]", [[[0, 2, 4]]]),
    ],
)
def test_what_is_small_is_run(api: Running, statement: str, rows: list[list[Any]]) -> None:
    assert api.sql(statement) == rows
