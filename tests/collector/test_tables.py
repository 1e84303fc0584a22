# SPDX-License-Identifier: Apache-2.0
"""What is alive as tables: the most important first, those alike in one row, and a page at a time."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any, cast

import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]  # PyArrow has no types
import pytest

from peeps_collector.graph.view import View
from peeps_collector.tables import export
from peeps_collector.tables.arrange import Arranger
from peeps_collector.tables.kinds import BY_NAME, TABLES
from peeps_collector.tables.language import parse
from peeps_collector.tables.moment import Moment
from peeps_otel import semconv
from peeps_otel.model import Edge, EdgeKind, Node, NodeKind, Wait
from peeps_otel.report.shown import Shown
from tests.collector.collector_support import Deadlock, Program, Running
from tests.support.network import http
from tests.support.waiting import eventually

S = 1_000_000_000
NOW = 1_000 * S


def task(number: int, line: int, waits_s: int | None = None) -> Node:
    wait = None if waits_s is None else Wait("lock.acquire", NOW - waits_s * S, f"/srv/shop/db.py:{line}")
    node_id = f"task:{number}"
    return Node(node_id, NodeKind.TASK, f"worker-{number}", NOW - 100 * S, "/srv/shop/app.py:9", wait=wait)


def queue(name: str, length: int, capacity: int) -> Node:
    attributes: dict[str, Any] = {semconv.CHANNEL_LENGTH: length, semconv.CHANNEL_CAPACITY: capacity}
    return Node(f"rx:{name}", NodeKind.RX, name, NOW - 100 * S, "/srv/shop/app.py:3", attributes=attributes)


def moment(nodes: list[Node], edges: list[Edge] | None = None, stuck: frozenset[str] = frozenset()) -> Moment:
    out: dict[str, tuple[Edge, ...]] = {}
    for edge in edges or []:
        out[edge.src] = (*out.get(edge.src, ()), edge)
    view = View(7, {node.id: node for node in nodes}, dict.fromkeys((node.id for node in nodes), "one"), out)
    processes: dict[str, dict[str, Any]] = {"one": {"service": "shop", "pid": 4711, "state": "live", "cost": 0.002}}
    return Moment(view, NOW, Shown(view, {"one": "/srv/shop"}, NOW), stuck, processes)


def rows(name: str, at: Moment, q: str = "", group: str | None = None, **page: int) -> list[dict[str, Any]]:
    table = BY_NAME[name]
    arranger = Arranger(table, at, parse(q, table.columns), table.group if group is None else group)
    return arranger.page(page.get("offset", 0), page.get("limit", 100)).rows


LOCK = Node("lock:db", NodeKind.LOCK, "db", NOW - 100 * S, "/srv/shop/db.py:2")
WAITING = [task(1, 31, 5), task(2, 31, 40), task(3, 31, 7), task(4, 60, 90), task(5, 0)]
NEEDS = [Edge(EdgeKind.NEEDS, f"task:{number}", "lock:db") for number in (1, 2, 3)]
HELD = Edge(EdgeKind.HELD_BY, "lock:db", "task:5", NOW - 50 * S, "/srv/shop/db.py:20")


def test_those_alike_are_one_row_and_the_oldest_stands_for_them() -> None:
    first, second, third = rows(
        "tasks", moment([LOCK, *WAITING], [*NEEDS, HELD], frozenset({"task:1", "task:2", "task:3"}))
    )
    assert first == {
        "id": "task:2",
        "process": "one",
        "count": 3,
        "cells": {
            "state": "stuck",
            "name": "worker-2",
            "for": "Lock db",
            "waits": NOW - 40 * S,
            "site": "/srv/shop/db.py:31",
            "process": "shop (4711)",
            "made": "/srv/shop/app.py:9",
        },
        "words": {"waits": "40 s", "site": "db.py:31", "made": "app.py:9"},
        "members": 'site="/srv/shop/db.py:31" state="stuck"',
    }
    assert (second["id"], second["cells"]["for"], second["members"]) == ("task:4", "lock.acquire", "")
    assert (third["id"], third["cells"]["state"], "waits" in third["cells"]) == ("task:5", "running", False)


def test_a_group_opens_by_its_own_filter() -> None:
    at = moment([LOCK, *WAITING], NEEDS)
    group = rows("tasks", at)[1]
    assert (group["count"], [row["id"] for row in rows("tasks", at, group["members"], "")]) == (
        3,
        ["task:2", "task:3", "task:1"],
    )


def test_a_lock_with_its_holder_and_who_waits() -> None:
    [row] = rows("locks", moment([LOCK, *WAITING], [*NEEDS, HELD]))
    assert row["cells"] == {
        "state": "held",
        "name": "Lock db",
        "holder": "worker-5",
        "held": NOW - 50 * S,
        "site": "/srv/shop/db.py:20",
        "waiters": 3,
        "waits": NOW - 40 * S,
        "process": "shop (4711)",
        "made": "/srv/shop/db.py:2",
    }


def test_the_fullest_channel_first() -> None:
    at = moment([queue("low", 1, 100), queue("full", 5, 5), queue("high", 80, 100)])
    found = rows("channels", at, group="")
    assert [(row["cells"]["name"], row["cells"]["state"], row["cells"]["full"]) for row in found] == [
        ("Queue full", "full", 1.0),
        ("Queue high", "idle", 0.8),
        ("Queue low", "idle", 0.01),
    ]
    ends = replace(queue("low", 1, 100), id="tx:low", kind=NodeKind.TX)
    assert {(row["cells"]["end"], row["count"]) for row in rows("channels", moment([ends, queue("low", 1, 100)]))} == {
        ("in", 1),
        ("out", 1),
    }
    [together] = [row for row in rows("channels", at) if row["count"] == 2]
    assert (together["cells"]["full"], together["cells"]["length"], together["cells"]["capacity"]) == (0.8, 81, 200)


def test_a_page_of_many() -> None:
    at = moment([task(number, 31, number) for number in range(1, 501)])
    table = BY_NAME["tasks"]
    page = Arranger(table, at, parse("waits>=100s", table.columns)).page(10, 2)
    assert ([row["id"] for row in page.rows], page.total, page.matched, page.lines) == (
        ["task:490", "task:489"],
        500,
        401,
        401,
    )


def test_a_file_has_one_row_each_and_no_formula() -> None:
    evil = task(7, 31, 3)
    evil.name = '=HYPERLINK("http://x")'
    table = BY_NAME["tasks"]
    columns = [column for column in table.columns if column.key in {"name", "waits", "steps"}]
    cells = Arranger(table, moment([evil]), []).cells(10, columns)
    read = list(csv.reader(io.StringIO(export.as_csv(columns, cells).decode())))
    assert read == [["name", "waits_seconds", "steps"], ['\'=HYPERLINK("http://x")', "3.0", ""]]
    parquet = pq.read_table(io.BytesIO(export.as_parquet(columns, cells)))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # PyArrow has no types
    assert cast(Any, parquet).to_pylist() == [{"name": '=HYPERLINK("http://x")', "waits_seconds": 3.0, "steps": None}]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_of_nothing_and_its_keys(table: Any) -> None:
    keys = [column.key for column in table.columns]
    assert len(keys) == len(set(keys))
    assert all(table.column(key.lstrip("-")) for key in (*table.order, *filter(None, [table.group])))
    empty = Moment(View(1, {}, {}, {}), NOW, Shown(View(1, {}, {}, {}), {}, NOW))
    assert Arranger(table, empty, [], table.group).page(0, 10) == ([], 0, 0, 0)


def test_the_api_gives_pages_files_the_past_and_nothing_twice(collector: Running) -> None:
    deadlock, program = Deadlock(), Program()
    collector.send(program.snapshot(*deadlock.graph(), key_frame=True))
    eventually(lambda: collector.sql("SELECT count(*) FROM node_change") == [[5]], "it is stored")
    collector.send(program.snapshot([]))  # what it does is judged once it was seen twice
    eventually(lambda: collector.get("/api/rows?q=state:stuck")["rows"], "it is known to be stuck")
    found = collector.get("/api/rows")
    assert [(row["id"], row["cells"]["site"]) for row in found["rows"]] == [
        (deadlock.a, "app.py:31"),
        (deadlock.b, "app.py:47"),
        (deadlock.tail, "app.py:60"),
    ]
    assert {one["name"]: one["count"] for one in found["tables"] if one["count"]} == {
        "tasks": 3,
        "locks": 2,
        "processes": 1,
    }
    [process] = collector.get("/api/rows?table=processes")["rows"]
    assert (process["cells"]["name"], process["cells"]["tasks"], process["cells"]["waiting"]) == ("shop (4711)", 3, 3)
    url = f"http://{collector.api}/api/rows"
    assert http(f"{url}?q=waits%3Ex").json()["error"] == {
        "field": "q",
        "message": "waits is a time: 'x' is none such as 200ms, 5s, 10m or 2h",
    }
    assert http(f"{url}?table=cats").status == 400
    version = collector.get("/api/rows")["version"]
    same = http(f"{url}?if_version={version}")
    assert same.status == 304 or same.json()["version"] != version
    assert http(f"{url}?format=csv&q=audit").body.decode().count("\n") == 1
    assert http(f"{url}?format=csv&q=worker-b").body.decode().count("\n") == 2
    then = collector.get(f"/api/rows?at={found['now_ns']}&table=locks&group=none&sort=name")
    assert [(row["cells"]["name"], row["cells"]["holder"]) for row in then["rows"]] == [
        ("Lock cache", "worker-b"),
        ("Lock db", "worker-a"),
    ]
    assert then["at_ns"] == found["now_ns"]
