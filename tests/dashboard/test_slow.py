# SPDX-License-Identifier: Apache-2.0
"""The page about why something is slow, and what it draws."""

from __future__ import annotations

from datetime import UTC
from typing import Any, cast

import pytest

from peeps_dashboard.api import Depths, Flame, Heat
from peeps_dashboard.view import curves, flame, heat
from tests.dashboard import slow_answers
from tests.dashboard.slow_answers import S
from tests.dashboard.test_pages import column, page, texts

NOW = 1_000_000 * S


def told(path: str, **query: str) -> Any:
    return slow_answers.ANSWERS[path](NOW, {"since_s": "120"} | query)


def test_a_flame_graph_is_boxes_by_parts_of_the_width() -> None:
    drawn = flame.of_answer(cast(Flame, told("/api/flame", of="blame")))
    assert [(one.depth, one.left, round(one.width, 3), one.side, one.text) for one in drawn.boxes] == [
        (0, 0.0, 1.0, 0, "move"),
        (1, 0.0, 1.0, 1, "[lock db]"),
        (2, 0.0, 0.889, 2, "nap"),
        (3, 0.0, 0.889, 2, "audit"),
        (2, 8 / 9, 0.111, 2, "app.py:50"),
    ]
    assert drawn.boxes[2].title == "nap at app.py:40: 8 s, 88.9%"
    assert drawn.boxes[4].title == "app.py:50: 1 s, 11.1%"
    assert (drawn.depth, drawn.note) == (4, "9 s in all; thin boxes are left out: 2")


def test_the_time_of_two_sides_was_spent_where_the_holder_stood() -> None:
    rows = flame.heaviest(cast(Flame, told("/api/flame", of="blame")))
    assert rows == {
        "where": ["app.py:40", "app.py:50"],
        "function": ["nap", None],
        "time": ["8 s", "1 s"],
        "share": [8 / 9, 1 / 9],
    }


def test_the_time_of_tasks_was_spent_in_what_they_waited_for() -> None:
    answer = cast(Flame, told("/api/flame", of="tasks"))
    assert [one.text for one in flame.of_answer(answer).boxes] == ["move", "[lock db]"]  # the third is too thin
    rows = flame.heaviest(answer)
    assert (rows["where"], rows["function"]) == (["app.py:31", "app.py:3"], ["move [lock db]", "tick"])


def test_a_heat_map_has_a_cell_where_something_ended_and_no_empty_rows_around() -> None:
    answer = cast(Heat, told("/api/heat", of="waits"))
    drawn = heat.of_answer(answer, UTC)
    assert drawn.rows == ["1 ms to 1 s", "1 s to 10 s", "over 10 s"]
    assert [(one.left, one.width, round(one.bottom, 2), round(one.strength, 2)) for one in drawn.cells] == [
        (0.0, 0.5, 0.0, 0.33),
        (0.5, 0.5, 0.67, 1.0),
    ]
    assert drawn.cells[1].title == "13:45:40: 7 of over 10 s, most of them: app.py:40"
    assert heat.table(answer) == {
        "took": ["over 10 s", "1 ms to 1 s"],
        "how many": [7, 1],
        "for example": ["app.py:40", "app.py:31"],
    }
    assert heat.of_answer(cast(Heat, told("/api/heat", of="lag"))) == heat.Drawn([], [])


def test_a_curve_stands_under_its_bound() -> None:
    queue, pool, free = curves.of_answer(cast(Depths, told("/api/depths")), {"one": "shop (4711)"})
    assert (queue.label, queue.where, queue.is_full) == ("Queue jobs", "app.py:2 in shop (4711)", True)
    assert queue.says == "at most 4 items, room for 4; full 33 % of the time"
    assert pool.says == "at most 4 in use of 8"
    assert free.says == "at most 4 items, no bound"
    assert queue.corners == [
        *[(0.0, 1.0), (0.0, 1.0), (0.25, 1.0), (0.25, 0.0), (0.5, 0.0)],
        *[(0.5, 1.0), (0.75, 1.0), (0.75, 0.5), (1.0, 0.5), (1.0, 1.0)],
    ]


@pytest.mark.usefixtures("api")
def test_the_page_begins_with_whose_code_made_others_wait() -> None:
    test = page("slow")
    assert "Whose code made others wait" in texts(test)
    assert column(test, "where the time went") == ["app.py:40"]
    assert column(test, "share") == ["90%"]
    assert "10 s of waiting in 3 waits." in texts(test)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("chart", "said"),
    [
        ("both", "[lock db]"),
        ("tasks", "move"),
        ("threads", "No look at a thread is stored of this time."),
        ("waits", "1 ms to 1 s"),
        ("lag", "OTEL_METRICS_EXPORTER must not be none"),
        ("depths", "1 to 3 of 30"),
    ],
)
def test_each_chart_has_a_link_of_its_own(chart: str, said: str) -> None:
    assert said in texts(page("slow", chart=chart, since="3600"))


@pytest.mark.usefixtures("api")
def test_a_choice_stands_in_the_link() -> None:
    test = page("slow", **{"from": "12", "chart": "depths"})
    assert "13 to 15 of 30" in texts(test)
    test.button_group(key="since").set_value("60").run()
    assert (test.query_params["since"], "from" in test.query_params) == ("60", False)
