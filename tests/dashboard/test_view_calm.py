# SPDX-License-Identifier: Apache-2.0
"""Where to look while nothing is known to be stuck: what waits longest, and what is not answered."""

from __future__ import annotations

from typing import Any

from peeps_dashboard.view import calm
from tests.dashboard import fake_api, scenarios

NOW = scenarios.FROZEN_NOW
NAMES = {scenarios.ORDERS: "orders (4711)"}
_TAKE = "pool.py:13"


def pool() -> scenarios.World:
    """Eight requests wait for a first connection, and four, who have one, for a second."""
    world = scenarios.World(NOW)
    for number in range(12):
        has_one = number < 4
        stack = [("place", "app.py", 27), ("audit", "app.py", 33)] if has_one else [("place", "app.py", 22)]
        stack.append(("take", "pool.py", 13))
        wait = ("queue.get", 90 - number, _TAKE)
        world.node(f"task:{number}", f"place-{number}", scenarios.ORDERS, wait=wait, stack=stack)
    return world


def snapshot_of(world: scenarios.World) -> Any:
    answer: Any = fake_api.snapshot_answer(world, NOW, {})
    for node in answer["nodes"]:
        node["wait"]["text"] = "return await self._free.get()"
    return answer


def test_those_alike_are_one_line_by_where_they_came_from() -> None:
    waits = calm.longest(snapshot_of(pool()), NOW, NAMES, 12)
    assert calm.table_of_waits(waits) == {
        "for": ["1 min 30 s", "1 min 26 s"],
        "where": [_TAKE, _TAKE],
        "line": ["return await self._free.get()"] * 2,
        "came by": ["app.py:33 in audit", "app.py:22 in place"],
        "alike": [4, 8],
        "name": ["place-0", "place-4"],
        "waits for": ["queue.get", "queue.get"],
        "process": ["orders (4711)", "orders (4711)"],
    }
    assert [one.count for one in calm.longest(snapshot_of(pool()), NOW, NAMES, 1)] == [4]


def test_in_a_library_those_that_wait_for_one_thing_each_are_one_line() -> None:
    world = pool()
    for number in range(3):
        world.node(f"task:H{number}", f"handler-{number}", wait=("task.wait", 90, "in aiohttp"))
        world.edge("needs", f"task:H{number}", f"task:{number}")
    answer: Any = fake_api.snapshot_answer(world, NOW, {})
    waits = calm.longest(answer, NOW, NAMES, 12)
    assert [(one.row.where, one.count, one.waits_for) for one in waits] == [
        ("in aiohttp", 3, "3 different"),
        (_TAKE, 4, "queue.get"),
        (_TAKE, 8, "queue.get"),
    ]


def test_requests_that_are_not_answered_have_the_line_they_are_at() -> None:
    waits = calm.longest(snapshot_of(pool()), NOW, NAMES, 12)
    cells = {"state": "pending", "method": "POST /orders", "handled": "orders (4711)", "site": "/srv/pool.py:13"}
    row = {
        "id": "response:1",
        "count": 12,
        "cells": cells,
        "words": {"age": "1 min 30 s", "site": _TAKE},
        "members": "",
    }
    answer: Any = {"rows": [row]}
    assert calm.table_of_requests(answer, waits) == {
        "for": ["1 min 30 s"],
        "which is at": [_TAKE],
        "line": ["return await self._free.get()"],
        "request": ["POST /orders"],
        "alike": [12],
        "handled in": ["orders (4711)"],
    }
    answer["rows"] = []
    assert not calm.table_of_requests(answer, waits)
