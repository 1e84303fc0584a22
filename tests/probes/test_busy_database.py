# SPDX-License-Identifier: Apache-2.0
"""Threads that wait for a SQLite database that somebody has locked, and the transaction that has."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from peeps_otel import semconv
from tests.probes.threads_world import Seen, cpu_ns, world

pytestmark = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the kernel does not tell who has locks")


def _made(path: Path, mode: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"pragma journal_mode={mode}")
    connection.execute("create table t (x)")
    connection.close()


def _write(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=600)
    connection.execute("insert into t values (1)")
    connection.commit()
    connection.close()


def _held_by(seen: Seen) -> Any:
    things = seen.needed("writes")
    return things[0].attributes.get(semconv.COULD_END_OUTSIDE) if things else None


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_by_a_transaction_of_this_process(tmp_path: Path, mode: str) -> None:
    path, done = tmp_path / "app.db", threading.Event()
    _made(path, mode)

    def has() -> None:
        connection = sqlite3.connect(path)
        connection.execute("insert into t values (2)")
        done.wait()
        connection.commit()
        connection.close()

    with world() as made:
        made.cleaning.append(done.set)
        made.start("has", has)
        made.settled("has")
        made.start("writes", lambda: _write(path))
        line = has.__code__.co_firstlineno + 1
        said = f"a transaction of this process, by the connection of probes/{Path(__file__).name}:{line}"
        seen = made.until(lambda seen: _held_by(seen) == said)
        (thing,) = seen.needed("writes")
        assert (thing.kind, thing.name, thing.attributes[semconv.LOCK_FILE]) == ("lock", "app.db", str(path))
        wait = seen.thread("writes").wait
        used_ns = cpu_ns(made.threads["writes"])
        made.until(lambda _: cpu_ns(made.threads["writes"]) > used_ns)  # SQLite has looked once more
        later = made.until(lambda seen: bool(seen.needed("writes"))).thread("writes")
        assert wait is not None
        assert later.wait is not None
        assert (wait.operation, later.wait.since_ns) == ("database.busy", wait.since_ns)


def test_by_another_process(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    _made(path, "delete")
    begins = f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('insert into t values (2)')"
    code = f"{begins}; print('mine', flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        with world() as made:
            made.cleaning.append(other.kill)
            made.start("writes", lambda: _write(path))
            seen = made.until(lambda seen: bool(seen.needed("writes")))
            assert f"(pid {other.pid})" in str(_held_by(seen))


def test_a_long_query_is_no_wait_for_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    _made(path, "delete")
    gate = threading.Event()

    def wait_in_sql() -> None:
        connection = sqlite3.connect(path)
        connection.create_function("pause", 0, lambda: gate.wait() and 0)
        connection.execute("select pause()").fetchall()
        connection.close()

    with world() as made:
        made.cleaning.append(gate.set)
        made.start("queries", wait_in_sql)
        seen = made.settled("queries")
        wait = seen.thread("queries").wait
        assert wait is not None
        assert wait.operation == "event.wait"
