# SPDX-License-Identifier: Apache-2.0
"""The process in which statements of strangers run: `python -m peeps_collector.store.sql_worker`.

It opens the database read-only for the length of one statement, may use so much memory and processor time as
its limits say, and ends with its parent. What it cannot survive costs this process and nothing else.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import orjson

from .statement import Failure, Statement, StatementFailed, run

HEAD = struct.Struct(">IQ")
"""Of each message, both ways: the bytes of a JSON object, and of what follows it."""
MEMORY_BYTES = 1 << 30
"""What a statement may use of address space."""
_DUCKDB_MEMORY = "512MiB"
_THREADS = 2


def main(connected: Callable[[str], AbstractContextManager[duckdb.DuckDBPyConnection]] | None = None) -> int:
    """`connected`: how the path of a request is opened to be read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the parent decides
    _end_with_the_parent()
    duckdb.connect(config={"threads": _THREADS}).execute("SELECT 1").fetchall()  # what is loaded now is not counted
    _limit_memory()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(HEAD.size):
        size, _ = HEAD.unpack(head)
        request = orjson.loads(source.read(size))
        path = request.pop("path")
        _answer(sink, Statement(**request), (connected or _connected)(path))
    return 0


def _answer(sink: BinaryIO, statement: Statement, connected: AbstractContextManager[duckdb.DuckDBPyConnection]) -> None:
    about: dict[str, Any]
    content = b""
    try:
        _limit_time(statement.seconds)
        with connected as connection:
            answer = run(connection, statement, alone=True)
        about, content = {"truncated": answer.truncated}, answer.content
    except StatementFailed as failed:
        about = {"failure": failed.failure.value, "message": str(failed)}
    except MemoryError:
        about = {"failure": Failure.SIZE.value, "message": "the statement needs more memory than it may have"}
    head = orjson.dumps(about)
    sink.write(HEAD.pack(len(head), len(content)) + head)
    sink.write(content)
    sink.flush()


@contextmanager
def _connected(path: str) -> Generator[duckdb.DuckDBPyConnection]:
    try:
        connection = duckdb.connect(path, read_only=True, config={"threads": _THREADS})
    except duckdb.Error as error:
        words = str(error).splitlines()[0]
        raise StatementFailed(Failure.BUSY, f"the database cannot be read now ({words}); try again") from None
    try:
        lock_down(connection)
        yield connection
    finally:
        connection.close()


def lock_down(connection: duckdb.DuckDBPyConnection) -> None:
    """After it no statement can touch another file or change a setting."""
    connection.execute(f"SET memory_limit='{_DUCKDB_MEMORY}'")
    connection.execute("SET temp_directory=''")  # or it would fill the disk
    connection.execute("SET enable_progress_bar=false")
    connection.execute("SET python_enable_replacements=false")
    connection.execute("SET enable_external_access=false")
    connection.execute("SET lock_configuration=true")


def _end_with_the_parent() -> None:
    """At the end of its input it ends anyway; this also ends a statement."""
    poll = select.poll()
    poll.register(sys.stdin.fileno(), 0)  # the end of the other side only

    def wait() -> None:
        poll.poll()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(5)  # taking in goes before


def _limit_time(seconds: float) -> None:
    """The parent ends us by the clock; this is for when it is not there to do it."""
    if sys.platform != "win32":
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        most = int(used.ru_utime + used.ru_stime + _THREADS * seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


if __name__ == "__main__":
    raise SystemExit(main())
