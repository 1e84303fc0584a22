# SPDX-License-Identifier: Apache-2.0
"""`peeps top`, driven by keys at 80 columns against a collector that has found a deadlock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

pytest.importorskip("textual")
from textual.widgets import DataTable, Static, TabbedContent

from peeps_collector.cli.client import Client
from peeps_collector.top.screen import Details, Top
from peeps_collector.top.tables import Row, Table
from tests.collector.collector_support import Running
from tests.support.waiting import PATIENCE_S

COLUMNS = 80


async def until(pilot: Any, check: Callable[[], bool]) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while not check():
        assert asyncio.get_running_loop().time() < end
        await pilot.pause(0.05)


def test_the_verdict_the_tables_and_all_about_a_row(with_a_deadlock: Running) -> None:
    async def story() -> None:
        top = Top(Client(with_a_deadlock.api))
        async with top.run_test(size=(COLUMNS, 24)) as pilot:
            verdict = top.query_one("#verdict", Static)
            await until(pilot, lambda: "DEADLOCK, PROVEN" in str(verdict.render()))
            assert verdict.has_class("sure")
            tabs = top.query_one("#tabs", TabbedContent)
            for key, name in enumerate(("Findings", "Tasks", "Locks", "Pools", "Requests"), 1):
                await pilot.press(str(key))
                assert tabs.active == name
                assert top.query_one(f"#table-{name}", DataTable).virtual_size.width <= COLUMNS, name
            await pilot.press("1", "enter")
            await until(pilot, lambda: isinstance(top.screen, Details))
            assert "What would release it:" in str(top.screen.query_one(Static).render())
            await pilot.press("escape")
            await pilot.press("2")
            tasks = cast("DataTable[Any]", top.query_one("#table-Tasks", DataTable))
            names = {str(tasks.get_row_at(number)[1]) for number in range(tasks.row_count)}
            assert {"worker-a", "worker-b"} <= names
            await pilot.press("q")

    asyncio.run(story())


def test_a_line_fits_and_a_path_keeps_its_end() -> None:
    cells = (
        "1",
        "a task with a long name indeed",
        "lock.acquire Lock of something",
        "3 s",
        "/srv/shop/orders/app.py:131",
    )
    table = Table(("N", "NAME", "WAITS FOR", "SINCE", "WHERE"), [Row("task:1", cells)], 4)
    (row,) = table.fitted(60)
    assert sum(map(len, row.cells)) + 2 * len(cells) <= 60
    assert row.cells[4].startswith("…")
    assert row.cells[4].endswith("app.py:131")
    assert table.fitted(200) == table.rows
