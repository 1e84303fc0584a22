# SPDX-License-Identifier: Apache-2.0
"""What the head does for the lake: small files become larger ones, what is old is deleted, and what nothing points to
any more is removed. One process does it, the head's; the others only add."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import duckdb

from ..store.schema import EDGE_CHANGE, FINDING, NODE, NODE_CHANGE, PROCESS, RESOURCE, TABLES
from .endings import end_what_was_open
from .members import Members
from .settings import LakeSettings
from .shipping import mark_of
from .tables import KEYS, stored_in

_MERGE_SECONDS, _DELETE_SECONDS = 60.0, 3600.0
_END_SECONDS = 30.0
_DEAD_SECONDS = 600.0
"""For so long a collector may be away without its processes being given up."""
_READERS_SECONDS = 600.0
"""For so long somebody may read what has been replaced."""
_CHANGES = {NODE_CHANGE.name: ("upsert", "node"), EDGE_CHANGE.name: ("add", "src, dst, kind")}
_FILE_BYTES = "128MB"


class Upkeep:
    """`turn` is called often, and does what is due. Belongs to one thread."""

    def __init__(self, settings: LakeSettings, own: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`own`: the shard of the head."""
        self._catalog = settings.catalog
        self._own = own
        self._ended: set[str] = set()
        self._kept_ns = int(settings.hours * 3_600_000_000_000)
        self._clock = clock
        self._merge_s = clock() + _MERGE_SECONDS
        self._end_s = clock()
        self._delete_s = clock()

    def turn(self, connection: duckdb.DuckDBPyConnection) -> str:
        """What was done, in words. Raises duckdb.Error, psycopg.Error."""
        if self._clock() >= self._end_s:
            self._end_s = self._clock() + _END_SECONDS
            return self._end_the_dead(connection)
        if self._clock() >= self._delete_s:
            self._delete_s = self._clock() + _DELETE_SECONDS
            return f"deleted {delete_old(connection, time.time_ns() - self._kept_ns)} rows"
        if self._clock() >= self._merge_s:
            self._merge_s = self._clock() + _MERGE_SECONDS
            merge(connection, _READERS_SECONDS)
            return "merged files"
        return ""

    def _end_the_dead(self, connection: duckdb.DuckDBPyConnection) -> str:
        """What collectors left open that are gone, and what heads before this one did."""
        members = Members(self._catalog)
        try:
            there = {one.name for one in members.all() if one.age_s < _DEAD_SECONDS}
        finally:
            members.close()
        known = connection.execute(
            f"SELECT DISTINCT shard FROM {stored_in(PROCESS.name)} UNION SELECT shard FROM {stored_in(FINDING.name)}"
        ).fetchall()
        dead = {shard for (shard,) in known} - there - {self._own}
        for shard in sorted(dead - self._ended):
            connection.execute("BEGIN")
            end_what_was_open(connection, shard, mark_of(connection, shard), time.time_ns())
            connection.execute("COMMIT")
        self._ended = dead
        return f"ended what {len(dead)} had left" if dead else ""


def merge(connection: duckdb.DuckDBPyConnection, readers_s: float) -> None:
    """Makes fewer files. What they replace is removed once nobody reads it: after `readers_s`. Raises duckdb.Error."""
    connection.execute(f"CALL lake.set_option('target_file_size', '{_FILE_BYTES}')")
    connection.execute("CALL ducklake_merge_adjacent_files('lake')")
    then = datetime.fromtimestamp(time.time() - readers_s, UTC).strftime("%Y-%m-%d %H:%M:%S+00")
    connection.execute(f"CALL ducklake_expire_snapshots('lake', older_than => TIMESTAMPTZ '{then}')")
    connection.execute(f"CALL ducklake_cleanup_old_files('lake', older_than => TIMESTAMPTZ '{then}')")


def delete_old(connection: duckdb.DuckDBPyConnection, oldest_ns: int) -> int:
    """What is older; the last word on what is alive stays. Older rows of a key go in any case. How many rows. Raises
    duckdb.Error."""
    deleted = 0
    for name, where in _conditions().items():
        before = f"DELETE FROM {stored_in(name)} WHERE {where}"
        row = connection.execute(before, {"oldest": oldest_ns} if "$oldest" in where else None).fetchone()
        deleted += 0 if row is None else int(row[0])
    return deleted


def _conditions() -> dict[str, str]:
    found = {table.name: f"{table.time} < $oldest" for table in TABLES.values() if table.time and table is not FINDING}
    for name, (alive, key) in _CHANGES.items():
        last = (
            f"SELECT max(struct_pack(t := time_ns, r := rowid)).r FROM {name} WHERE time_ns <= $oldest GROUP BY {key}"
        )
        found[name] = f"time_ns < $oldest AND (op <> '{alive}' OR rowid NOT IN ({last}))"
    ended = {
        FINDING.name: "(state <> 'open' AND last_seen_ns < $oldest)",
        PROCESS.name: "(state = 'gone' AND last_seen_ns < $oldest)",
        NODE.name: f"(created_at < $oldest AND node NOT IN (SELECT node FROM {NODE_CHANGE.name}))",
        RESOURCE.name: "(written_ns < $oldest AND process NOT IN (SELECT process FROM every_process))",
    }
    for name, condition in ended.items():
        rows, key = stored_in(name), KEYS[name]
        newest = f"SELECT max(struct_pack(w := written_ns, b := batch, r := rowid)).r FROM {rows} GROUP BY {key}"
        found[name] = f"{condition} OR rowid NOT IN ({newest})"
    return found
