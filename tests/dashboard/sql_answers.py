# SPDX-License-Identifier: Apache-2.0
"""What the fake API knows of /api/query and /api/sql: the statements run in a DuckDB with one small table."""

from __future__ import annotations

from typing import Any

import duckdb

from peeps_collector.store.plain import plain

S = 1_000_000_000
_NAMED = {
    "blockers": ("what is waited for", "SELECT service, waiters, longest_ns, place FROM seen ORDER BY waiters DESC"),
    "over-time": ("how many waited when", "SELECT time_ns, waiters FROM seen WHERE time_ns <= $1"),
}


class FakeQueries:
    """Saved ones stay for the life of the API."""

    def __init__(self) -> None:
        self._saved: dict[str, tuple[str, str]] = {}
        self._database = duckdb.connect()
        self._database.execute(
            "CREATE TABLE seen AS SELECT * FROM (VALUES "
            f"('one', 3, {40 * S}, '/srv/shop/app.py:31', {1_700_000_000 * S}), "
            f"('<b>two</b>', 9, {2 * S}, '/srv/shop/db.py:7', {1_700_000_060 * S}), "
            f"(NULL, 1, 300, NULL, {1_700_000_120 * S})) AS t(service, waiters, longest_ns, place, time_ns)"
        )

    def answer(self, path: str, now: int) -> tuple[int, dict[str, Any]]:
        known = _NAMED | self._saved
        name = path.removeprefix("/api/query").strip("/")
        if not name:
            told = [{"name": n, "text": t, "sql": s, "saved": n in self._saved} for n, (t, s) in known.items()]
            return 200, {"now_ns": now, "queries": told}
        sql = known[name][1]
        return self._run(sql, {"1": now} if "$1" in sql else [], now)

    def posted(self, path: str, now: int, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        name = path.rpartition("/")[2]
        if body is None:
            self._saved.pop(name)
            return 200, {"now_ns": now, "deleted": name}
        if path == "/api/sql":
            return self._run(body["sql"], body["parameters"], now)
        if name in _NAMED:
            return 400, {"now_ns": now, "error": {"field": "name", "message": f"{name} comes with peeps"}}
        self._saved[name] = (body["text"], body["sql"])
        return 200, {"now_ns": now, "name": name, "saved": True}

    def _run(self, sql: str, parameters: Any, now: int) -> tuple[int, dict[str, Any]]:
        try:
            found = self._database.execute(sql, parameters)
        except duckdb.Error as error:
            return 400, {"now_ns": now, "error": {"field": "sql", "message": str(error)}}
        columns = [{"name": one[0], "type": str(one[1])} for one in found.description or []]
        rows = [[plain(value) for value in row] for row in found.fetchall()]
        places = {"/srv/shop/app.py:31": "app.py:31"}
        return 200, {"now_ns": now, "columns": columns, "rows": rows, "places": places, "truncated": False}
