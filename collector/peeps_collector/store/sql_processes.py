# SPDX-License-Identifier: Apache-2.0
"""Statements of strangers, each in a process of its own (sql_worker.py), which is ended where it does not end."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import IO, Protocol

import duckdb
import orjson

from .sql_worker import HEAD
from .statement import Answer, Failure, Statement, StatementFailed, run, too_large, too_long

_AT_ONCE = 2
_GRACE_SECONDS = 1.0  # after the time limit, which the process keeps by itself where it can
_START_SECONDS = 20.0
_STOPS = "the collector ends"


class Source(Protocol):
    """What statements read: a file, or what else has a `path` that the worker understands."""

    @property
    def path(self) -> str: ...

    @property
    def can_be_shared(self) -> bool:
        """Whether another process can read it at all."""
        ...

    @property
    def before_reading(self) -> Callable[[], None]:
        """To be called before each look into it."""
        ...

    def lease(self) -> AbstractContextManager[None]:
        """As long as it lasts, other processes may open it to read it. Raises OSError."""
        ...

    def reading(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A cursor that only reads. Raises duckdb.Error."""
        ...


class SqlProcesses:
    """Thread-safe. At most two statements run at once; their processes are kept for the next ones."""

    def __init__(self, database: Source, worker: str = "peeps_collector.store.sql_worker") -> None:
        """`worker`: the module that runs as the process, and is given the path of the database."""
        self._database = database
        self._worker = worker
        self._alone = database.can_be_shared
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._stopped = False

    @property
    def running(self) -> int:
        """Statements that run now, in processes of their own."""
        with self._lock:
            return len(self._all) - len(self._idle)

    def run(self, statement: Statement) -> Answer:
        """Waits for its turn as long as it may run. Raises StatementFailed."""
        if not self._slots.acquire(timeout=statement.seconds):
            raise StatementFailed(Failure.BUSY, f"{_AT_ONCE} other statements are running; try again")
        try:
            return self._apart(statement) if self._alone else self._here(statement)
        finally:
            self._slots.release()

    def stop(self) -> None:
        """Ends every process, also those that run a statement."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            idle, self._idle = self._idle, []
            for worker in self._all:
                worker.kill()
        for worker in idle:
            worker.end()
        for _ in range(_AT_ONCE):  # so that nobody reads the file any more
            self._slots.acquire(timeout=5)

    def _apart(self, statement: Statement) -> Answer:
        self._database.before_reading()
        worker = self._take()
        kept = False
        try:
            with self._database.lease():
                answer = worker.ask(self._database.path, statement)
            kept = True
            return answer
        except StatementFailed as failed:
            kept = not worker.broken
            if self._stopped:
                raise StatementFailed(Failure.BUSY, _STOPS) from None
            raise failed
        finally:
            self._give_back(worker, kept)

    def _here(self, statement: Statement) -> Answer:
        """Where a second process cannot have the file: guarded by what it may contain."""
        with self._database.reading() as cursor:
            return run(cursor, statement, alone=False)

    def _take(self) -> _Worker:
        with self._lock:
            if self._stopped:
                raise StatementFailed(Failure.BUSY, _STOPS)
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive():
                    return worker
                self._all.discard(worker)
                worker.end()
            worker = _Worker(self._worker)
            self._all.add(worker)
            return worker

    def _give_back(self, worker: _Worker, kept: bool) -> None:
        with self._lock:
            if kept and not self._stopped:
                self._idle.append(worker)
                return
            self._all.discard(worker)
        worker.end()


class _Worker:
    """One process. `ask` by one thread at a time, `end` by any."""

    def __init__(self, module: str) -> None:
        self.broken = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment_of_ours(),
        )
        self._started = False

    def ask(self, path: str, statement: Statement) -> Answer:
        """Raises StatementFailed; `broken`: the process is of no use any more."""
        self.broken = True
        request = orjson.dumps(asdict(statement) | {"path": path})
        begun = time.monotonic()
        deadline = begun + statement.seconds + (_GRACE_SECONDS if self._started else _START_SECONDS)
        try:
            _pipe(self._process.stdin).write(HEAD.pack(len(request), 0) + request)
            size, more = HEAD.unpack(self._read(HEAD.size, deadline))
            about = orjson.loads(self._read(size, deadline))
            content = self._read(more, deadline)
        except TimeoutError:
            raise too_long(statement.seconds) from None
        except OSError:
            # It was killed: by its limits, or by the kernel for want of memory.
            late = time.monotonic() - begun >= statement.seconds
            raise (too_long(statement.seconds) if late else too_large()) from None
        self.broken, self._started = False, True
        if "failure" in about:
            raise StatementFailed(Failure(about["failure"]), about["message"])
        return Answer(about["truncated"], content)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Its thread sees that it has ended, and clears up."""
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self, size: int, deadline: float) -> bytes:
        """Raises TimeoutError, and OSError at the end of the file."""
        file = _pipe(self._process.stdout).fileno()
        content = bytearray()
        poll = select.poll()
        poll.register(file, select.POLLIN)
        while len(content) < size:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
            piece = os.read(file, min(1 << 20, size - len(content)))
            if not piece:
                raise OSError("the process ended")
            content += piece
        return bytes(content)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def environment_of_ours() -> dict[str, str]:
    """Ours, without what would watch the process, and with few arenas: each is address space."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PEEPS_"))}
    paths = [path for path in sys.path if path and "auto_instrumentation" not in path]
    return kept | {"MALLOC_ARENA_MAX": "2", "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(paths)}
