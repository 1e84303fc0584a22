# SPDX-License-Identifier: Apache-2.0
"""The ready-made provider for a PostgreSQL on this host: which sessions of this process wait for a lock, and who may
have it, by the titles that the server gives its own processes (`ps` shows them). The server itself is not asked.

A title says that a session waits, not for which lock nor for whom: each session of the same database that is within a
transaction may have it, and only if none of them can go on is anything concluded.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from ..probes.internals import end_names
from ..probes.probe import Observation
from .database import DatabaseReport, LockWait, Session
from .registered import Entry
from .wanted import POSTGRESQL_CLIENTS

_OPERATION = "database.wait"
_AFTER_NS = 3_000_000_000
_EVERY_NS = 2_000_000_000
_PROCESSES_MOST = 4000
_TITLE_MOST = 1000
_TITLE = re.compile(r"postgres: (?:.*: )?(?P<who>\S.* \S+) (?P<host>[0-9a-fA-F.:]+)\((?P<port>\d+)\) (?P<state>\S.*)")
_WAITS, _IDLE = " waiting", "idle"


class _Backend(NamedTuple):
    """A session's process. `server`: the process that started it; `database`: with the role's name before it."""

    pid: int
    server: int
    database: str
    client: str
    state: str


class Titles:
    """`ask` on the provider thread. `entry`: what is asked, as if it had been registered."""

    def __init__(self) -> None:
        where = "peeps_otel/providers/postgresql_titles.py:1"
        self.entry = Entry("postgresql on this host", "database", lambda: cast("Any", self.ask), where, ready_made=True)
        self._since: dict[tuple[int, str], int] = {}
        self._report, self._asked_ns = DatabaseReport(server=""), 0
        self._first_ns = 0  # since when somebody, perhaps one after the other, has waited at each look

    def is_wanted(self, observation: Observation, now_ns: int) -> bool:
        """Whether somebody has waited for an answer of a database for seconds, or the last report named one."""
        if sys.platform != "linux" or not any(name in sys.modules for name in POSTGRESQL_CLIENTS):
            return False
        waits = [node.wait for node in observation.nodes.values() if node.wait is not None]
        if not any(wait.operation == _OPERATION for wait in waits):
            self._first_ns = 0
            return bool(self._report.waits)
        self._first_ns = self._first_ns or now_ns
        return now_ns - self._first_ns >= _AFTER_NS

    def ask(self) -> DatabaseReport:
        """At most every two seconds."""
        now_ns = time.time_ns()
        if now_ns - self._asked_ns >= _EVERY_NS:
            self._asked_ns = now_ns
            self._report = self._read(now_ns)
        return self._report

    def _read(self, now_ns: int) -> DatabaseReport:
        backends = list(_backends())
        waiting = [one for one in backends if one.state.endswith(_WAITS)]
        since, self._since = self._since, {}
        if not waiting:
            return DatabaseReport(server="")
        own = end_names.own_ends().values()
        places = {local: (fd, peer) for fd, names in own for local, peer in [_addresses(names.here)]}
        waits: list[LockWait] = []
        server = ""
        for one in backends:
            key = one.pid, one.state
            self._since[key] = since.get(key, now_ns)
        for one in waiting:
            place = places.get(one.client)
            if place is None:
                continue
            fd, server = place
            able = [_session(other, self._since[other.pid, other.state]) for other in backends if _may_have(other, one)]
            lock = f"a lock in {one.database.rpartition(' ')[2]}"
            waits.append(
                LockWait(session=str(one.pid), fd=fd, lock=lock, since_ns=self._since[one.pid, one.state], holders=able)
            )
        return DatabaseReport(server=server, waits=tuple(waits))


def _may_have(other: _Backend, waiter: _Backend) -> bool:
    """Whether a session is within a transaction of the database in which the other waits."""
    return (
        other.pid != waiter.pid
        and (other.server, other.database.rpartition(" ")[2]) == (waiter.server, waiter.database.rpartition(" ")[2])
        and (other.state != _IDLE)
    )


def _session(one: _Backend, since_ns: int) -> Session:
    return Session(
        id=str(one.pid),
        client=one.client,
        application="",
        state=one.state,
        is_idle=one.state.startswith(_IDLE),
        since_ns=since_ns,
    )


def _backends() -> Iterator[_Backend]:
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdecimal()][:_PROCESSES_MOST]
    except OSError:
        return
    for number in numbers:
        try:
            with open(f"/proc/{number}/cmdline", "rb") as file:
                title = file.read(_TITLE_MOST)
            found = (
                _TITLE.match(title.rstrip(b"\0 ").decode(errors="replace")) if title.startswith(b"postgres: ") else None
            )
            if found is None:
                continue
            with open(f"/proc/{number}/stat", encoding="ascii", errors="replace") as file:
                server = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        client = end_names.joined(end_names.plain(found["host"]), int(found["port"]))
        yield _Backend(int(number), server, found["who"], client, found["state"])


def _addresses(name: str) -> tuple[str, str]:
    """Of `…/tcp/127.0.0.1:5000>127.0.0.1:5432`: the two."""
    local, _, peer = name.partition("/tcp/")[2].partition(">")
    return local, peer
