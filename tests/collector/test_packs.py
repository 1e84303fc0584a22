# SPDX-License-Identifier: Apache-2.0
"""Questions with a name, asked of what a program has sent."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from peeps_collector.store.packs import BY_NAME, PACKS
from peeps_collector.store.saved_queries import NotSaved, SavedQueries
from peeps_otel.model import Edge, EdgeKind, Node, NodeKind, Providers, Wait
from tests.collector.collector_support import Program, Running, new_id
from tests.collector.conftest import Start
from tests.support.network import http
from tests.support.waiting import eventually

SECOND = 1_000_000_000
SEED = [
    *("blockers", "blocked-senders", "blocked-receivers", "stalled-sends", "channel-pressure", "channel-health"),
    *("scope-membership", "stale-blockers"),
]


class Shop:
    """`main` has started `put`, `get` and two that want the lock that `put` has. `put` waits for room in a full channel
    for 20 s, `get` for something in an empty one for 5 s, the two for the lock for 9 and 8 s."""

    def __init__(self) -> None:
        self.program = Program(instance="shop-1")
        self.now = time.time_ns()
        self.main, self.put, self.get, self.first, self.second = (new_id(NodeKind.TASK) for _ in range(5))
        self.full, self.empty, self.lock = new_id(NodeKind.TX), new_id(NodeKind.RX), new_id(NodeKind.LOCK)

    def send(self, collector: Running) -> None:
        nodes = [
            self._task(self.main, "main", None, 0),
            self._task(self.put, "put", "queue.put", 20),
            self._task(self.get, "get", "queue.get", 5),
            self._task(self.first, "first", "lock.acquire", 9),
            self._task(self.second, "second", "lock.acquire", 8),
            self._thing(self.full, NodeKind.TX, "orders", 3, 3),
            self._thing(self.empty, NodeKind.RX, "answers", 0, None),
            self._thing(self.lock, NodeKind.LOCK, "db", None, None),
        ]
        needs = [(self.put, self.full), (self.get, self.empty), (self.first, self.lock), (self.second, self.lock)]
        edges = [Edge(EdgeKind.NEEDS, waiter, thing, self.now) for waiter, thing in needs]
        edges += [Edge(EdgeKind.SPAWNED, self.main, one) for one in (self.put, self.get, self.first, self.second)]
        edges.append(Edge(EdgeKind.HELD_BY, self.lock, self.put, self.now - 30 * SECOND, "/srv/shop/db.py:7"))
        collector.send(self.program.snapshot(nodes, edges, key_frame=True))

    def _task(self, node: str, name: str, operation: str | None, seconds: int) -> Node:
        wait = None if operation is None else Wait(operation, self.now - seconds * SECOND, f"/srv/shop/{name}.py:1")
        return Node(
            node, NodeKind.TASK, name, self.now - 60 * SECOND, "/srv/shop/main.py:1", state="waiting", wait=wait
        )

    def _thing(self, node: str, kind: NodeKind, name: str, length: int | None, capacity: int | None) -> Node:
        told = {"peeps.channel.length": length, "peeps.channel.capacity": capacity}
        attributes: Any = {key: value for key, value in told.items() if value is not None}
        made = self.now - 60 * SECOND
        return Node(node, kind, name, made, "/srv/shop/q.py:3", providers=Providers.CLOSED, attributes=attributes)


@pytest.fixture(scope="module")
def shop(shared: Running) -> Shop:
    shop = Shop()
    shop.send(shared)
    eventually(lambda: rows(shared, "stale-blockers", "waiter"))
    return shop


def rows(collector: Running, name: str, *columns: str, **parameters: str) -> list[tuple[Any, ...]]:
    query = "&".join(f"{key}={value}" for key, value in {"process": "shop-1", **parameters}.items())
    told = collector.get(f"/api/query/{name}?{query}")
    names = [column["name"] for column in told["columns"]]
    places = [names.index(column) for column in columns]
    return [
        tuple(round(row[place]) if type(row[place]) is float else row[place] for place in places)
        for row in told["rows"]
    ]


def test_those_of_the_seed_answer(shared: Running, shop: Shop) -> None:
    asked = {
        "blockers": ("name", "waiters", "longest_s", "held_by"),
        "blocked-senders": ("sender", "channel", "length", "capacity", "seconds"),
        "blocked-receivers": ("receiver", "channel", "seconds"),
        "stalled-sends": ("channel", "senders", "longest_s"),
        "channel-pressure": ("channel", "length", "capacity", "share"),
        "channel-health": ("channel", "end", "waiters", "longest_s"),
        "scope-membership": ("scope", "member"),
        "stale-blockers": ("waiter", "thing", "seconds"),
    }
    assert list(asked) == SEED
    # The snapshot was taken a little after `now`: a moment that is surely after it.
    at = str(time.time_ns())
    late = (int(at) - shop.now) / SECOND
    assert {name: rows(shared, name, *columns, at=at) for name, columns in asked.items()} == {
        "blockers": [
            ("db", 2, round(9 + late), "put"),
            ("orders", 1, round(20 + late), None),
            ("answers", 1, round(5 + late), None),
        ],
        "blocked-senders": [("put", "orders", 3, 3, round(20 + late))],
        "blocked-receivers": [("get", "answers", round(5 + late))],
        "stalled-sends": [("orders", 1, round(20 + late))],
        "channel-pressure": [("orders", 3, 3, 1)],
        "channel-health": [("orders", "tx", 1, round(20 + late)), ("answers", "rx", 1, round(5 + late))],
        "scope-membership": [("main", "first"), ("main", "get"), ("main", "put"), ("main", "second")],
        "stale-blockers": [
            ("put", "orders", round(20 + late)),
            ("first", "db", round(9 + late)),
            ("second", "db", round(8 + late)),
            ("get", "answers", round(5 + late)),
        ],
    }


def test_ours_answer(shared: Running, shop: Shop) -> None:
    at = str(time.time_ns())
    held = round(30 + (int(at) - shop.now) / SECOND)
    assert rows(shared, "held-longest", "name", "holder", "seconds", "taken_at", "holder_waits_in", at=at) == [
        ("db", "put", held, "/srv/shop/db.py:7", "queue.put")
    ]
    assert {line[:2] for line in rows(shared, "waits-by-line", "operation", "place")} == {
        ("queue.put", "/srv/shop/put.py:1"),
        ("queue.get", "/srv/shop/get.py:1"),
        ("lock.acquire", "/srv/shop/first.py:1"),
        ("lock.acquire", "/srv/shop/second.py:1"),
    }
    assert rows(shared, "rows-by-process", "process", "node_changes", "edge_changes") == [("shop-1", 8, 9)]
    assert rows(shared, "cost-of-looking", "process", "snapshots", "most_nodes") == [("shop-1", 1, 8)]


@pytest.mark.parametrize("name", list(BY_NAME))
def test_each_answers_of_all_processes_and_of_an_earlier_moment(shared: Running, shop: Shop, name: str) -> None:
    everything, before = (
        shared.get(f"/api/query/{name}"),
        shared.get(f"/api/query/{name}?at={shop.now - 3600 * SECOND}"),
    )
    assert everything["text"] == BY_NAME[name].text
    assert before["rows"] == []
    assert before["columns"] == everything["columns"]


def test_there_is_a_list_and_what_is_not_in_it_is_told(shared: Running) -> None:
    assert [one["name"] for one in shared.get("/api/query")["queries"]] == [pack.name for pack in PACKS]
    answer = http(f"http://{shared.api}/api/query/blokers")
    assert answer.status == 404
    assert "there are blockers, blocked-senders" in answer.json()["error"]["message"]


@pytest.mark.usefixtures("shop")
def test_in_the_terminal(shared: Running) -> None:
    told = shared.peeps("query", "stale-blockers", "--limit", "1", "--process", "shop-1")
    assert told.returncode == 0, told.stderr
    assert "put" in told.stdout
    assert "(1 row, more were left out)" in told.stdout
    assert "channel-pressure" in shared.peeps("query").stdout
    assert shared.peeps("query", "blockers", "--sql").stdout.strip() == BY_NAME["blockers"].sql.strip()


def test_a_plain_duckdb_answers_them_too(start: Start) -> None:
    shop, collector = Shop(), start()
    shop.send(collector)
    collector.stop()
    with duckdb.connect(str(collector.database), read_only=True) as connection:
        given: list[Any] = [time.time_ns(), []]
        found = {pack.name: connection.execute(pack.sql, given).fetchall() for pack in PACKS}
    assert [row[1] for row in found["stale-blockers"]] == ["put", "first", "second", "get"]


def test_a_statement_is_saved_under_a_name_and_answers_as_ours_do(shared: Running, shop: Shop) -> None:
    text = "who waits, longest first"
    sql = "SELECT node, wait_operation FROM node_change WHERE list_contains($2, process) AND op = 'upsert' ORDER BY 2"
    told = put(shared, "who-waits", sql=sql, text=text)
    assert told["sql"] == sql
    assert ("who-waits", text, True) in [(q["name"], q["text"], q["saved"]) for q in queries(shared)]
    assert (shop.put, "queue.put") in rows(shared, "who-waits", "node", "wait_operation")
    put(shared, "who-waits", sql="SELECT 1 AS one -- $1 is not used")
    assert rows(shared, "who-waits", "one") == [(1,)]
    assert http(url(shared, "who-waits"), method="DELETE").status == 200
    assert "who-waits" not in [q["name"] for q in queries(shared)]
    assert http(url(shared, "who-waits"), method="DELETE").status == 404


def test_a_file_written_by_hand_is_a_query(tmp_path: Path) -> None:
    folder = tmp_path / "queries"
    folder.mkdir()
    (folder / "mine.sql").write_text("-- answers all\nSELECT 42")
    (folder / "no comment.sql").write_text("SELECT 1")
    (folder / "bytes.sql").write_bytes(b"\xff\xfe")
    saved = SavedQueries(folder)
    first, mine = saved.known()
    assert (mine.name, mine.text, mine.sql) == ("mine", "answers all", "SELECT 42")
    assert "bytes.sql cannot be read" in first.text


def test_a_file_that_is_too_large_is_refused_and_not_cut(start: Start, tmp_path: Path) -> None:
    """What is left of a statement may be a statement, too."""
    folder = tmp_path / "queries"
    folder.mkdir()
    whole = "SELECT 1" + "\n-- and more" * 6_000 + "\nWHERE false"
    (folder / "large.sql").write_text(f"-- none\n{whole}")
    (folder / "fits.sql").write_text(f"-- all\n{'SELECT 1'.ljust(64 << 10)}")
    running = start(PEEPS_QUERIES=str(folder))
    answer = http(url(running, "large"))
    said = json.loads(answer.body)["error"]["message"]
    assert answer.status == 400
    assert f"{folder / 'large.sql'} has {len(whole) + 8:,} bytes: a saved query may have 65,536." in said
    assert "by `peeps sql`" in said
    printed = running.peeps("query", "large", "--sql")
    assert (printed.returncode, printed.stdout, "large.sql has" in printed.stderr) == (2, "", True)
    assert http(url(running, "fits")).status == 200


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("blockers", {"sql": "SELECT 1"}, "comes with peeps"),
        ("Upper", {"sql": "SELECT 1"}, "must be 1 to 64 of a-z"),
        ("mine", {"sql": ""}, "sql must be one statement"),
        ("mine", {"sql": "SELECT 1; SELECT 2"}, "2 statements"),
        ("mine", {"sql": "SELECT $3"}, "$3: a named query has two parameters"),
        ("mine", {"sql": "SELEKT"}, "syntax error"),
        ("mine", {"sql": "SELECT 1", "text": "two\nlines"}, "one line of at most 200"),
        ("mine", {"sql": 7}, "sql must be a string"),
    ],
)
def test_what_cannot_be_saved_says_why(shared: Running, name: str, body: dict[str, Any], says: str) -> None:
    answer = http(url(shared, name), json.dumps(body).encode(), method="PUT")
    assert answer.status == 400
    assert says in json.loads(answer.body)["error"]["message"]


def test_a_recording_keeps_no_queries() -> None:
    with pytest.raises(NotSaved, match="set PEEPS_QUERIES"):
        SavedQueries(None).save("mine", "", "SELECT 1")


def put(collector: Running, name: str, **body: str) -> dict[str, Any]:
    answer = http(url(collector, name), json.dumps(body).encode(), method="PUT")
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def url(collector: Running, name: str) -> str:
    return f"http://{collector.api}/api/query/{name}"


def queries(collector: Running) -> list[dict[str, Any]]:
    return collector.get("/api/query")["queries"]
