# SPDX-License-Identifier: Apache-2.0
"""Stories of one lake, told in a process that has DuckDB of the extra: `shipping_stories.py NAME CATALOG FOLDER`."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from peeps_collector.lake.members import Members
from peeps_collector.lake.settings import LakeSettings
from peeps_collector.lake.shipping import Shipping
from peeps_collector.lake.spool import Spool
from peeps_collector.lake.upkeep import Upkeep, delete_old, merge
from peeps_collector.store.arrow import to_arrow
from peeps_collector.store.schema import TABLES

_HOUR_NS = 3_600_000_000_000


class Shard:
    """A collector's file with what goes from it to the lake, without the collector."""

    def __init__(self, settings: LakeSettings, folder: Path) -> None:
        self.folder = folder
        self.own = duckdb.connect()
        self.own.execute("CREATE TABLE meta (key VARCHAR, value VARCHAR)")
        self.spool = Spool(folder, self.own, 1 << 30)
        self.shipping = Shipping(folder, self.spool.shard, settings)

    def commit(self, **tables: list[dict[str, Any]]) -> None:
        self.own.execute("BEGIN")
        for name, rows in tables.items():
            columns = TABLES[name].columns
            self.spool.add(name, to_arrow(TABLES[name], [tuple(row.get(c) for c in columns) for row in rows])[0])
        self.spool.write(self.own)
        self.own.execute("COMMIT")
        self.spool.settle(self.own)

    def rows(self, statement: str) -> list[Any]:
        return self.shipping.connection.execute(statement).fetchall()


def a_batch_that_comes_again_is_shipped_once(settings: LakeSettings, folder: Path) -> None:
    """The shipper was killed after the commit in the lake, and before it could remove the file."""
    shard = Shard(settings, folder / "one")
    for number in range(3):
        shard.commit(span=[{"name": f"s{number}"}])
    (kept := folder / "kept").mkdir()
    for file in shard.folder.glob("*.batch"):
        shutil.copy(file, kept)
    assert shard.shipping.turn().batches == 3
    for file in kept.iterdir():
        shutil.copy(file, shard.folder)
    shard.shipping.forget()  # another process knows only what the lake says
    assert shard.shipping.turn().batches == 0
    assert list(shard.folder.glob("*.batch")) == []
    assert shard.rows("SELECT name, batch FROM span ORDER BY name") == [("s0", 1), ("s1", 2), ("s2", 3)]


def what_was_not_committed_does_not_go(settings: LakeSettings, folder: Path) -> None:
    shard = Shard(settings, folder / "one")
    shard.own.execute("BEGIN")
    shard.spool.add("span", to_arrow(TABLES["span"], [(None,) * len(TABLES["span"].columns)])[0])
    shard.spool.write(shard.own)
    shard.own.execute("ROLLBACK")
    shard.spool.settle(shard.own)
    shard.commit(span=[{"name": "second"}])
    shard.shipping.turn()
    assert shard.rows("SELECT name, batch FROM span") == [("second", 1)]


def a_new_run_ends_what_the_one_before_left_open(settings: LakeSettings, folder: Path) -> None:
    shard, other = Shard(settings, folder / "one"), Shard(settings, folder / "two")
    node = {"process": "p", "op": "upsert", "time_ns": 10}
    shard.commit(
        process=[{"process": "p", "state": "live"}, {"process": "moved", "state": "live"}],
        node_change=[node | {"node": "a"}, node | {"node": "b"}, node | {"node": "b", "op": "gone", "time_ns": 11}],
        edge_change=[{"process": "p", "op": "add", "kind": "needs", "src": "a", "dst": "b", "time_ns": 10}],
        finding=[{"finding": "f", "state": "open", "processes": ["p"], "last_seen_ns": 10}],
    )
    shard.shipping.turn()
    other.commit(process=[{"process": "moved", "state": "live"}])
    other.shipping.turn()
    shard.spool.begin_run(shard.own)
    shard.shipping.turn()
    assert shard.rows("SELECT process, state FROM process ORDER BY process") == [("moved", "live"), ("p", "gone")]
    assert shard.rows("SELECT node, op FROM node_change WHERE time_ns > 11") == [("a", "lost")]
    assert shard.rows("SELECT op, time_ns FROM edge_change ORDER BY time_ns") == [("add", 10), ("lost", 11)]
    assert shard.rows("SELECT finding, state FROM finding") == [("f", "resolved")]


def the_head_ends_what_a_collector_left_that_never_came_back(settings: LakeSettings, folder: Path) -> None:
    gone, there = Shard(settings, folder / "one"), Shard(settings, folder / "two")
    for shard, process in ((gone, "p"), (there, "q")):
        shard.commit(process=[{"process": process, "state": "live"}])
        shard.shipping.turn()
    members = Members(settings.catalog)
    members.say(there.spool.shard, "http://127.0.0.1:1", "http://127.0.0.1:2")
    members.close()
    upkeep = Upkeep(settings, "head-x", clock=lambda: 0.0)
    assert upkeep.turn(there.shipping.connection) == "ended what 1 had left"
    assert there.rows("SELECT process, state FROM process ORDER BY process") == [("p", "gone"), ("q", "live")]


def merging_makes_few_files_of_many(settings: LakeSettings, folder: Path) -> None:
    shard = Shard(settings, folder / "one")
    for number in range(12):
        shard.commit(span=[{"name": f"s{number}"}])
        shard.shipping.turn()

    def files() -> int:
        return len(list(Path(settings.data).rglob("*.parquet")))

    before = files()
    merge(shard.shipping.connection, readers_s=-5.0)
    assert (before, files()) == (12, 1)
    assert shard.rows("SELECT count(DISTINCT name), max(batch) FROM span") == [(12, 12)]


def what_is_old_goes_but_for_the_last_word_on_what_is_alive(settings: LakeSettings, folder: Path) -> None:
    shard = Shard(settings, folder / "one")
    now_ns = time.time_ns()
    old_ns = now_ns - 10 * _HOUR_NS
    changes = [("a", "upsert", old_ns), ("a", "upsert", old_ns + 1), ("b", "upsert", old_ns), ("b", "gone", old_ns + 1)]
    shard.commit(
        span=[{"name": "old", "received_ns": old_ns}, {"name": "new", "received_ns": now_ns}],
        node=[{"node": node, "created_at": old_ns} for node in "ab"],
        node_change=[{"process": "p", "node": node, "op": op, "time_ns": at_ns} for node, op, at_ns in changes],
        finding=[{"finding": "f", "state": state, "last_seen_ns": old_ns} for state in ("open",)],
    )
    shard.commit(process=[{"process": "p", "state": "live", "last_seen_ns": old_ns}])
    shard.commit(process=[{"process": "p", "state": "live", "last_seen_ns": now_ns}])
    while shard.shipping.turn().more:
        pass
    delete_old(shard.shipping.connection, now_ns - 5 * _HOUR_NS)
    assert shard.rows("SELECT name FROM span") == [("new",)]
    assert shard.rows("SELECT node, time_ns FROM node_change") == [("a", old_ns + 1)]
    assert shard.rows("SELECT node FROM node") == [("a",)]
    assert shard.rows("SELECT last_seen_ns FROM every_process") == [(now_ns,)]
    assert shard.rows("SELECT finding FROM finding") == [("f",)]


STORIES = [
    a_batch_that_comes_again_is_shipped_once,
    what_was_not_committed_does_not_go,
    a_new_run_ends_what_the_one_before_left_open,
    the_head_ends_what_a_collector_left_that_never_came_back,
    merging_makes_few_files_of_many,
    what_is_old_goes_but_for_the_last_word_on_what_is_alive,
]

if __name__ == "__main__":
    by_name = {story.__name__: story for story in STORIES}
    by_name[sys.argv[1]](LakeSettings(sys.argv[2], f"{sys.argv[3]}/data"), Path(sys.argv[3]))
