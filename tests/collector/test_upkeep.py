# SPDX-License-Identifier: Apache-2.0
"""`peeps db`: what is done with a file while no collector has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from peeps_collector.cli.main import main
from peeps_collector.store.database import Database
from peeps_collector.store.file import open_database
from peeps_collector.store.schema import LOG, TABLES


def log_row(number: int) -> tuple[Any, ...]:
    return ("p", "s", number, 0, None, None, f"note {number}", None, None, "", "{}", number, *[None] * 7)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """With a thousand log records, all but ten of them deleted again."""
    path = str(tmp_path / "it's.duckdb")
    connection = open_database(path, "1GB")
    rows = [log_row(number) for number in range(1, 1001)]
    marks = ", ".join(f"({', '.join('?' * len(LOG.columns))})" for _ in rows)
    connection.execute(f"INSERT INTO log VALUES {marks}", [value for row in rows for value in row])
    connection.execute("DELETE FROM log WHERE time_ns > 10")
    connection.close()
    return path


def test_info(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "info", file, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [table for table in found["tables"] if table["rows"]] == [
        {"name": "log", "rows": 10, "oldest_ns": 1, "newest_ns": 10}
    ]
    assert (found["path"], found["journal_bytes"], found["meta"]["schema_version"]) == (file, 0, "2")
    assert main(["db", "info", file]) == 0
    assert "log                     10 rows  1970-01-01 00:00:00 UTC" in capsys.readouterr().out


def test_export(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out" / "of it"
    assert main(["db", "export", file, str(folder)]) == 0
    assert sorted(path.stem for path in folder.iterdir()) == sorted(["meta", *TABLES])
    read = duckdb.read_parquet(str(folder / "log.parquet")).order("time_ns").fetchall()
    assert [row[6] for row in read] == [f"note {number}" for number in range(1, 11)]
    assert main(["db", "export", file, str(folder)]) == 2
    assert "cannot make the folder" in capsys.readouterr().err


def test_vacuum_keeps_everything(file: str) -> None:
    assert main(["db", "vacuum", file]) == 0
    assert sorted(path.name for path in Path(file).parent.iterdir()) == [Path(file).name]
    connection = open_database(file, "1GB")  # a collector goes on with it
    assert connection.execute("SELECT body FROM log ORDER BY time_ns LIMIT 2").fetchall() == [("note 1",), ("note 2",)]
    assert connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall() == [("2",)]
    connection.close()


def test_not_while_a_collector_has_it_and_nothing_of_others(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(tmp_path / "other.duckdb")
    duckdb.connect(other).close()
    for what in ("info", "export", "vacuum"):
        for path in (other, str(tmp_path / "none")):
            assert main(["db", what, path]) == 2
    assert capsys.readouterr().err.count("lacks") == 3
    database = Database(file, "1GB")
    try:
        # In this process DuckDB gives out the same database; another one is refused.
        done = subprocess.run(
            [sys.executable, "-m", "peeps_collector", "db", "vacuum", file], capture_output=True, text=True, check=False
        )
        assert (done.returncode, "stop it first" in done.stderr) == (2, True)
    finally:
        database.close()
