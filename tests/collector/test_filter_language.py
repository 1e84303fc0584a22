# SPDX-License-Identifier: Apache-2.0
"""The filter of a table: what its words mean, and what is said of those that mean nothing."""

from __future__ import annotations

import contextlib

import pytest

from peeps_collector.tables.filtered import filtered
from peeps_collector.tables.kinds import BY_NAME
from peeps_collector.tables.language import FilterError, parse
from tests.collector.test_tables import HELD, LOCK, NEEDS, WAITING, moment, queue, rows

AT = moment([LOCK, *WAITING, queue("jobs", 80, 100)], [*NEEDS, HELD], frozenset({"task:2"}))

HOLDS = [
    ("", {"1", "2", "3", "4", "5"}),
    ("waits>7s", {"2", "4"}),
    ("waits>=7s", {"2", "3", "4"}),
    ("waits<0.2m", {"1", "3"}),
    ("waits<100ms", set[str]()),
    ("site:db.py:31 waits>10s", {"2"}),
    ("site=db.py:31", {"1", "2", "3"}),
    ("site=/srv/shop/db.py:60", {"4"}),
    ("site=db.py", set[str]()),
    ("for!=lock.acquire", {"1", "2", "3"}),
    ("state:stuck,running", {"2", "5"}),
    ("-state:waiting", {"2", "5"}),
    ("-waits>7s", {"1", "3", "5"}),
    ("worker-4", {"4"}),
    ('"lock DB" -worker-1', {"2", "3"}),
    ('name="worker-5"', {"5"}),
    ("kind:task process:shop", {"1", "2", "3", "4", "5"}),
    ("kind:lock", set[str]()),
]


@pytest.mark.parametrize(("text", "wanted"), HOLDS)
def test_a_filter_holds_of(text: str, wanted: set[str]) -> None:
    assert {row["id"].partition(":")[2] for row in rows("tasks", AT, text, "")} == wanted


def test_shares_and_numbers() -> None:
    assert len(rows("channels", AT, "full>=80% length>79")) == 1
    assert rows("channels", AT, "full>80%") == []
    assert len(rows("channels", AT, "capacity:100")) == 1


WRONG = [
    ("wait>5s", "there is no wait here; did you mean waits? There are state, name, "),
    ("colour:red", "there is no colour here; there are state, name, "),
    ("waits>", "waits> wants something behind it, such as waits>5s"),
    ("waits>5", "waits is a time: '5' is none such as 200ms, 5s, 10m or 2h"),
    ("steps>many", "steps is a number: 10; 'many' is none"),
    ("name>5", "name is a text and has no >; write name:5"),
    ('name:"worker', 'a quotation mark is missing after name:"worker'),
    ("name:,", "name: wants a text behind it"),
    ("x" * 501, "the filter has more than 500 characters"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text, BY_NAME["tasks"].columns)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("text", ['"', "-", '""', 'a"b"c', "::", ">5", "a:b:c", "\x00", "🤷", '-""', 'a=""', '"a"b'])
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    with contextlib.suppress(FilterError):
        assert len(rows("tasks", AT, text, "")) <= len(WAITING)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("waits>7s", {"lock:db", "task:2", "task:4"}),
        ("name:jobs", {"rx:jobs"}),
        ("full>=80%", {"rx:jobs"}),
        ("waiters>0 -name:nobody", {"lock:db"}),
    ],
)
def test_of_the_whole_graph_it_holds_of_what_stands_in_one_of_the_tables(text: str, wanted: set[str]) -> None:
    assert filtered(AT, text) == wanted


def test_what_no_table_has_is_said() -> None:
    with pytest.raises(FilterError, match="there is no colour here"):
        filtered(AT, "colour:red")
