# SPDX-License-Identifier: Apache-2.0
"""The page for statements, and how results become tables and charts."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, cast

import pytest

from peeps_dashboard.api_sql import Result
from peeps_dashboard.view import results
from tests.dashboard.fake_api import FakeApi
from tests.dashboard.sql_answers import FakeQueries, S
from tests.dashboard.test_pages import column, page, texts

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

NOW = 1_700_000_200 * S


def told(sql: str) -> Result:
    status, answer = FakeQueries().posted("/api/sql", NOW, {"sql": sql, "parameters": []})
    assert status == 200, answer
    return cast(Result, answer)


def test_a_table_says_times_and_places_as_a_person_does() -> None:
    answer = told("SELECT service, longest_ns, place, time_ns, waiters AS n, [1, 2] AS n FROM seen")
    assert results.table(answer, {"one": "shop (4711)"}, UTC) == {
        "service": ["shop (4711)", "<b>two</b>", None],
        "longest_ns": ["40 s", "2 s", "0 µs"],
        "place": ["app.py:31", "/srv/shop/db.py:7", None],
        "time_ns": ["22:13:20", "22:14:20", "22:15:20"],
        "n": [3, 9, 1],
        "n (2)": ["[1, 2]", "[1, 2]", "[1, 2]"],
    }


def test_bars_begin_with_the_largest() -> None:
    answer = told("SELECT service, waiters, longest_ns, time_ns FROM seen WHERE service IS NOT NULL")
    assert results.labels(answer) == ["time_ns", "service"]
    assert results.numbers(answer) == ["waiters", "longest_ns"]
    bars, share = results.bars(answer, "service", "waiters", {})
    assert bars == {"service": ["<b>two</b>", "one"], "waiters": ["9", "3"], share: [1.0, 1 / 3]}


def test_a_curve_keeps_each_value_to_the_next() -> None:
    found = results.over_time(told("SELECT time_ns, waiters FROM seen"), "time_ns", "waiters", UTC)
    assert found is not None
    drawn, ends = found
    assert ends == ("22:13:20", "22:15:20")
    assert [(x, round(y, 2)) for x, y in drawn.corners] == [
        *[(0.0, 1.0), (0.0, 1.0), (0.0, 0.67), (0.5, 0.67)],
        *[(0.5, 0.0), (1.0, 0.0), (1.0, 0.89), (1.0, 1.0)],
    ]
    assert results.over_time(told("SELECT time_ns, waiters FROM seen LIMIT 1"), "time_ns", "waiters", UTC) is None


def test_a_file_has_the_values_as_they_are() -> None:
    assert results.as_csv(told("SELECT service, longest_ns, {'a': 1} AS more FROM seen LIMIT 1")) == (
        b'service,longest_ns,more\none,40000000000,"{""a"": 1}"\n'
    )


@pytest.mark.usefixtures("api")
def test_the_page_begins_with_what_is_waited_for_and_shows_the_tables() -> None:
    test = page("sql")
    assert column(test, "service") == ["<b>two</b>", "one", ""]
    assert str(test.text_area[0].value).startswith("SELECT service")
    assert "time_ns bigint" in texts(test)


@pytest.mark.usefixtures("api")
def test_an_own_statement_stands_in_the_link_and_is_saved_under_a_name() -> None:
    test = page("sql")
    ask(test, "SELECT 41 + 1 AS answer")
    assert column(test, "answer") == ["42"]
    assert (test.query_params["sql"], "query" in test.query_params) == ("SELECT 41 + 1 AS answer", False)
    test.text_input[0].set_value("the-answer")
    press(test, "Save the statement")
    assert test.query_params["query"] == "the-answer"
    assert column(page("sql", query="the-answer"), "answer") == ["42"]
    press(test, "Delete the-answer")
    assert test.query_params["query"] == "blockers"


@pytest.mark.usefixtures("api")
def test_what_the_collector_refuses_is_said() -> None:
    test = page("sql", sql="SELEKT 1")
    assert "syntax error" in texts(test)
    ask(test, "SELECT 1 AS one")
    test.text_input[0].set_value("blockers")
    press(test, "Save the statement")
    assert "blockers comes with peeps" in texts(test)


def test_the_moment_of_the_page_is_the_statement_s(api: FakeApi) -> None:
    at = str(1_700_000_070 * S)
    assert len(column(page("sql", query="over-time", at=at), "waiters")) == 2
    assert column(page("sql", sql="SELECT $1 AS moment", at=at), "moment") == [f"{int(at):,}"]
    assert api.requests["/api/query/over-time"] == 1


def ask(test: AppTest, statement: str) -> None:
    test.text_area[0].set_value(statement)
    press(test, "Run")


def press(test: AppTest, label: str) -> None:
    next(button for button in test.button if button.label == label).click().run()
