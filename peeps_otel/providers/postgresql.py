# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's locks, by a connection of the program's own making: `PostgresLocks(connect)`.

Which sessions of this process wait for a lock, and who has it, is asked of `pg_stat_activity` and `pg_locks`. A session
belongs to whoever has the socket whose port the server names, so it works with every client library. No statement and
no value of the program is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from ..probes.internals import end_names
from .database import DatabaseReport, LockWait, Session
from .registered import ProviderHandle, register

KIND = "database"
_EVERY_NS = 1_000_000_000
_TEXT_MOST = 100
_SETTINGS = "SET statement_timeout = '200ms'; SET application_name = 'peeps'"
_WAITS = """
SELECT host(inet_server_addr()), inet_server_port(),
  b.pid, host(b.client_addr), b.client_port,
  extract(epoch FROM coalesce((to_jsonb(l)->>'waitstart')::timestamptz, b.query_start))::float8,
  l.locktype, coalesce(l.relation, t.relation)::regclass::text,
  h.pid, host(h.client_addr), h.client_port, h.application_name, h.state,
  extract(epoch FROM h.xact_start)::float8
FROM pg_stat_activity b
JOIN pg_locks l ON l.pid = b.pid AND NOT l.granted
LEFT JOIN LATERAL (
  SELECT relation FROM pg_locks WHERE pid = b.pid AND locktype = 'tuple' AND granted LIMIT 1
) t ON true
CROSS JOIN LATERAL unnest(pg_blocking_pids(b.pid)) AS x(pid)
JOIN pg_stat_activity h ON h.pid = x.pid
WHERE b.wait_event_type = 'Lock' AND b.client_port > 0
LIMIT 500
"""


class PostgresLocks:
    """Asks the database at most once a second, on the thread of the providers. Keep it as long as it is to ask.

    `connect`: called without arguments, makes a connection by the interface of Python's databases (psycopg, psycopg2).
    Its role sees other roles' sessions only as a member of `pg_read_all_stats`. An error is a provider fault, and the
    next time a new connection is made.
    """

    def __init__(self, connect: Callable[[], Any], name: str = "postgresql") -> None:
        self._connect = connect
        self._connection: Any = None
        self._asked_ns = 0
        self._report = DatabaseReport(server="")
        self.handle: ProviderHandle = register(name, KIND, cast("Any", self.report), depth=2)

    def close(self) -> None:
        """It is not asked again. From any thread."""
        self.handle.close()
        self._disconnect()

    def report(self) -> DatabaseReport:
        """What the database says now."""
        now_ns = time.monotonic_ns()
        if now_ns - self._asked_ns >= _EVERY_NS:
            self._asked_ns = now_ns
            try:
                rows = self._rows()
            except BaseException:
                self._disconnect()
                self._asked_ns, self._report = 0, DatabaseReport(server="")
                raise
            self._report = _report(rows, end_names.own_addresses() if rows else {})
        return self._report

    def _rows(self) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = self._connect()
            self._connection.autocommit = True
            self._run(_SETTINGS)
        return self._run(_WAITS)

    def _run(self, statement: str) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description is not None else []
        finally:
            cursor.close()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception:
                return


def _report(rows: list[tuple[Any, ...]], own: dict[str, int]) -> DatabaseReport:
    """`own`: the descriptors of this process's connections, by their local address."""
    waits: dict[int, LockWait] = {}
    holders: dict[int, dict[int, Session]] = {}
    server = ""
    for row in rows:
        address, port, pid, host, client_port, since_s, kind, relation, *holder = row
        server = end_names.joined(str(address), int(port)) if address is not None else ""
        fd = own.get(end_names.joined(end_names.plain(str(host)), int(client_port)))
        if fd is None or since_s is None:
            continue
        of_holder = holders.setdefault(int(pid), {})
        of_holder[int(holder[0])] = _session(*holder)
        waits[int(pid)] = LockWait(
            session=str(pid),
            fd=fd,
            lock=_lock(str(kind), relation),
            since_ns=int(since_s * 1e9),
            holders=tuple(of_holder.values()),
        )
    return DatabaseReport(server=server, waits=tuple(waits.values()))


def _session(pid: int, host: object, port: object, application: object, state: object, since_s: object) -> Session:
    known = str(state or "unknown")
    client = end_names.joined(end_names.plain(str(host)), cast("int", port)) if host is not None and port else None
    return Session(
        id=str(pid),
        client=client,
        application=str(application or "")[:_TEXT_MOST],
        state=known,
        is_idle=known.startswith("idle"),
        since_ns=int(since_s * 1e9) if isinstance(since_s, float) else None,
    )


def _lock(kind: str, relation: object) -> str:
    """`a row of accounts`, `accounts`, `advisory`: what a person would call it."""
    name = str(relation)[:_TEXT_MOST] if relation else ""
    if kind in ("transactionid", "tuple"):
        return f"a row of {name}" if name else "a row"
    return name or kind
