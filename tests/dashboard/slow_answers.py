# SPDX-License-Identifier: Apache-2.0
"""Answers of the collector about why something was slow: a lock held by `audit` for nine of ten seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

S = 1_000_000_000
Query = dict[str, str]


def box(text: str, ns: int, parent: int | None = None, **given: Any) -> dict[str, Any]:
    """`own`, `side`, `depth`, `left`: 0 where they are not given."""
    place = f"/srv/shop/{given['short']}" if "short" in given else ""
    known = {"own_ns": given.get("own", 0), "side": given.get("side", 0), "depth": given.get("depth", 0)}
    left = {"from_ns": given.get("left", 0), "place": place, "short": given.get("short", "")}
    return {"text": text, "ns": ns, "parent": parent} | known | left


BLAME_BOXES = [
    box("move", 9 * S, short="app.py:31"),
    box("[lock db]", 9 * S, 0, depth=1, side=1),
    box("nap", 8 * S, 1, depth=2, side=2, short="app.py:40"),
    box("audit", 8 * S, 2, depth=3, side=2, own=8 * S, short="app.py:45"),
    box("app.py:50", S, 1, depth=2, side=2, left=8 * S, own=S, short="app.py:50"),
]
TASK_BOXES = [
    box("move", 9 * S, short="app.py:31"),
    box("[lock db]", 9 * S, 0, depth=1, side=1, own=9 * S),
    box("tick", 1000, left=9 * S, own=1000, short="app.py:3"),
]


def window(now: int, query: Query) -> dict[str, Any]:
    return {"now_ns": now, "since_ns": now - int(query["since_s"]) * S, "until_ns": now}


def blame(now: int, query: Query) -> dict[str, Any]:
    waiter = {"site": "/srv/shop/app.py:31", "site_short": "app.py:31", "ns": 9 * S}
    row: dict[str, Any] = {"holder_site": "/srv/shop/app.py:40", "holder_short": "app.py:40", "ns": 9 * S}
    row |= {"direct_ns": 8 * S, "waits": 3, "resources": ["lock db"], "waiters": [waiter]}
    return window(now, query) | {"waits": 3, "total_ns": 10 * S, "truncated": False, "rows": [row]}


def flame(now: int, query: Query) -> dict[str, Any]:
    boxes = {"blame": BLAME_BOXES, "tasks": TASK_BOXES}.get(query["of"], [])
    total = sum(one["ns"] for one in boxes if one["parent"] is None)
    return window(now, query) | {"of": query["of"], "total_ns": total, "boxes": boxes, "left_out": 2}


def heat(now: int, query: Query) -> dict[str, Any]:
    cells = [
        {"column": 0, "row": 1, "number": 1, "where": "app.py:31"},
        {"column": 1, "row": 3, "number": 7, "where": "app.py:40"},
    ]
    known = {"of": query["of"], "step_ns": 60 * S, "steps": 2, "bounds_ns": [1_000_000, S, 10 * S]}
    return window(now, query) | known | {"cells": cells if query["of"] == "waits" else []}


def depths(now: int, query: Query) -> dict[str, Any]:
    queue: dict[str, Any] = {"node": "tx:1", "process": "one", "kind_word": "Queue", "label": "Queue jobs"}
    queue |= {"short": "app.py:2", "what": "items", "capacity": 4, "most": 4, "values": [0, 4, None, 2]}
    pool = queue | {"label": "Pool db", "what": "in use", "capacity": 8, "values": [1, 1, 4, 4]}
    free = queue | {"label": "Queue log", "capacity": None, "values": [4, 4, 0, 1]}
    known = {"step_ns": 15 * S, "steps": 4, "total": 30}
    return window(now, query) | known | {"curves": [queue, pool, free]}


ANSWERS: dict[str, Callable[[int, Query], dict[str, Any]]] = {
    "/api/blame": blame,
    "/api/flame": flame,
    "/api/heat": heat,
    "/api/depths": depths,
}


def answer(path: str, now: int, query: Query) -> tuple[int, dict[str, Any]]:
    if path in ANSWERS:
        return 200, ANSWERS[path](now, query)
    return 404, {"error": {"field": "path", "message": f"there is no {path}"}}
