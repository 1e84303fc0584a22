# SPDX-License-Identifier: Apache-2.0
"""An earlier moment is the same whether the whole history is read for it or what stood a little before is known."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peeps_collector.store.database import Database
from peeps_collector.store.kept_past import EMPTY, KeptPast, Standing
from peeps_collector.store.past import after, view_at
from peeps_collector.store.reader import Reader

S = 1_000_000_000
HOUR = 3600 * S
BEGUN = 400_000 * HOUR


class Asked(Reader):
    """Of which time rows were asked for."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.spans: list[tuple[int, int]] = []

    def rows(self, sql: str, parameters: list[Any], limit: int, limit_bytes: int, seconds: float) -> list[list[Any]]:
        if "node_change" in sql:
            self.spans.append((parameters[0], parameters[1]))
        return super().rows(sql, parameters, limit, limit_bytes, seconds)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """Ten hours in which forty nodes come, change, go and come again, and so do their edges."""
    path: Path = tmp_path_factory.mktemp("past") / "x.duckdb"
    database, chance = Database(str(path), "1GB"), random.Random(11)
    names = [f"task:{number}" for number in range(40)]
    connection = database.connection
    connection.executemany(
        "INSERT INTO node (node, process, kind, name, created_at, source, confidence) VALUES (?, 'p', 'task', ?, 1, "
        "'a.py:1', 'exact')",
        [(name, name) for name in names],
    )
    nodes: list[tuple[Any, ...]] = []
    edges: list[tuple[Any, ...]] = []
    for number in range(3000):
        at_ns = BEGUN + number * 12 * S
        nodes.append((at_ns, chance.choice(names), chance.choice(("upsert", "upsert", "gone", "lost")), f"s{number}"))
        ends = chance.choice(names), chance.choice(names)
        edges.append((at_ns, chance.choice(("add", "add", "remove")), *ends))
    connection.execute(
        "INSERT INTO node_change (time_ns, process, node, op, state, attributes) "
        "SELECT unnest($1), 'p', unnest($2), unnest($3), unnest($4), '{}'",
        [list(column) for column in zip(*nodes, strict=True)],
    )
    connection.execute(
        "INSERT INTO edge_change (time_ns, process, op, kind, src, dst, confidence, cancels) "
        "SELECT unnest($1), 'p', unnest($2), 'needs', unnest($3), unnest($4), 'exact', false",
        [list(column) for column in zip(*edges, strict=True)],
    )
    yield Asked(database)
    connection.close()


def told(standing: Standing) -> Any:
    view = standing.view()
    nodes = {one.id: (one.state, one.name, view.owner[one.id]) for one in view.nodes.values()}
    return nodes, {src: {(edge.kind, edge.dst) for edge in edges} for src, edges in view.out.items()}


def test_out_of_what_stood_before_comes_the_same(reader: Asked) -> None:
    chance = random.Random(5)
    for _ in range(40):
        at_ns = BEGUN + chance.randrange(11 * HOUR)
        view = view_at(reader, at_ns)
        whole = after(reader, EMPTY, at_ns)
        edges = {(edge.kind.value, edge.src, edge.dst): edge for links in view.out.values() for edge in links}
        assert told(Standing(at_ns, dict(view.nodes), dict(view.owner), edges)) == told(whole)
    assert len(after(reader, EMPTY, BEGUN + HOUR).nodes) > 10


def test_the_next_second_reads_a_quarter_of_an_hour_at_most(reader: Asked) -> None:
    reader.standing = KeptPast()
    at_ns = BEGUN + 7 * HOUR + 400 * S
    view_at(reader, at_ns)
    reader.spans.clear()
    for second in range(1, 20):
        view_at(reader, at_ns + second * S)
    assert {to_ns - from_ns < 900 * S for from_ns, to_ns in reader.spans} == {True}
    reader.spans.clear()
    view_at(reader, at_ns + HOUR)
    assert {to_ns - from_ns <= HOUR for from_ns, to_ns in reader.spans} == {True}  # on from what is kept


def test_what_is_kept_is_forgotten_after_a_while_and_what_is_new_is_never_kept() -> None:
    now_s = [0.0]
    kept, made = KeptPast(lambda: now_s[0]), list[int]()

    def make(before: Standing) -> Standing:
        made.append(before.time_ns)
        return Standing(base, {}, {}, {})

    base = KeptPast.base_of(BEGUN, BEGUN + HOUR)
    for _ in range(2):
        kept.at(base, make)
    now_s[0] = 601.0
    kept.at(base, make)
    assert made == [0, 0]
    assert BEGUN - KeptPast.base_of(BEGUN, BEGUN) >= 600 * S
    assert KeptPast.base_of(5 * S, BEGUN) == 0
    assert kept.at(0, make) is EMPTY
