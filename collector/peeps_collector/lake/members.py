# SPDX-License-Identifier: Apache-2.0
"""Who belongs to the lake, in two tables of the catalog's PostgreSQL: the collectors that live, and the head.

The head is whoever has an advisory lock of PostgreSQL, on a connection that does nothing else: it ends with the
connection, so with the process, and the next one gets it.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

_CREATING, _LEADING = 7_337_001, 7_337_002  # names of locks
_HEAD_KEY = "head"
_SECONDS = 5
_ALIVE_SECONDS = 10
_SCHEMA = "peeps_members"
_TABLES = f"""
CREATE SCHEMA IF NOT EXISTS {_SCHEMA};
CREATE TABLE IF NOT EXISTS {_SCHEMA}.member (
  name text PRIMARY KEY, otlp text NOT NULL, api text NOT NULL, seen timestamptz NOT NULL, ended boolean NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Member:
    """`name`: the shard, or `head`. `otlp`, `api`: where it listens, as URLs. `age_s`: since it was heard of."""

    name: str
    otlp: str
    api: str
    age_s: float

    @property
    def is_alive(self) -> bool:
        return self.age_s < _ALIVE_SECONDS


class Members:
    """One connection; belongs to one thread. Every method raises psycopg.Error, after which it is of no use."""

    def __init__(self, catalog: str) -> None:
        self._connection = psycopg.connect(
            catalog,
            autocommit=True,
            connect_timeout=_SECONDS,
            tcp_user_timeout=_SECONDS * 1000,
            keepalives_idle=_SECONDS,
        )
        with self.creating():
            self._connection.execute(_TABLES)

    def close(self) -> None:
        self._connection.close()

    def creating(self) -> _Held:
        """As long as it lasts nobody else makes tables."""
        return _Held(self._connection, _CREATING)

    def lead(self) -> bool:
        """Whether this connection has the lead now."""
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [_LEADING]).fetchone()
        return row is not None and bool(row[0])

    def say(self, name: str, otlp: str, api: str) -> None:
        """It lives, and listens there."""
        self._connection.execute(
            f"INSERT INTO {_SCHEMA}.member VALUES (%s, %s, %s, now(), false) ON CONFLICT (name) DO UPDATE "
            "SET otlp = excluded.otlp, api = excluded.api, seen = excluded.seen, ended = false",
            [name, otlp, api],
        )

    def leave(self, name: str, otlp: str) -> None:
        """It ends in order. `otlp`: where nobody else goes by its name meanwhile."""
        self._connection.execute(
            f"UPDATE {_SCHEMA}.member SET ended = true WHERE name = %s AND otlp = %s", [name, otlp]
        )

    def all(self) -> list[Member]:
        """Who has not ended in order, the head too."""
        rows = self._connection.execute(
            f"SELECT name, otlp, api, extract(epoch FROM now() - seen) FROM {_SCHEMA}.member "
            "WHERE NOT ended ORDER BY name"
        ).fetchall()
        return [Member(name, otlp, api, float(age_s)) for name, otlp, api, age_s in rows]

    def head(self) -> Member | None:
        """The one that is alive."""
        return next((one for one in self.all() if one.name == _HEAD_KEY and one.is_alive), None)


class _Held:
    """A lock of PostgreSQL, for the length of a `with`."""

    def __init__(self, connection: psycopg.Connection, number: int) -> None:
        self._connection = connection
        self._number = number

    def __enter__(self) -> None:
        self._connection.execute("SELECT pg_advisory_lock(%s)", [self._number])

    def __exit__(self, *_: object) -> None:
        if not self._connection.broken:
            self._connection.execute("SELECT pg_advisory_unlock(%s)", [self._number])


HEAD = _HEAD_KEY
"""The name that the head goes by."""
