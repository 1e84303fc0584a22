# SPDX-License-Identifier: Apache-2.0
"""The recorded history to draw: bars, marks, and where a mark leads."""

from __future__ import annotations

import pytest

from peeps_dashboard.api import Span, Timeline
from peeps_dashboard.view import ages, history
from peeps_dashboard.view.history import Bar, Mark

S = 1_000_000_000


def span(level: str, from_s: int, found_s: int, to_s: int | None) -> Span:
    return {
        "id": f"deadlock:{from_s}",
        "headline": f"DEADLOCK, {level}, 40 s",
        "title": "a waits for b",
        "level": level,
        "state": "open" if to_s is None else "resolved",
        "from_ns": from_s * S,
        "found_ns": found_s * S,
        "to_ns": None if to_s is None else to_s * S,
    }


def timeline(*findings: Span) -> Timeline:
    return {
        "now_ns": 1000 * S,
        "from_ns": 0,
        "step_ns": 10 * S,
        "changes": [{"from_ns": 0, "count": 99}, {"from_ns": 500 * S, "count": 9}],
        "findings": list(findings),
    }


def test_bars_and_marks_stand_where_they_happened() -> None:
    shown = history.of_timeline(timeline(span("PROVEN", 100, 102, 300), span("SUSPECT", 900, 910, None)))
    assert shown.bars == [Bar(0.0, 0.01, 1.0), Bar(0.5, 0.01, 0.5)]
    title = f"{ages.clock(100 * S)} DEADLOCK, PROVEN, 40 s: a waits for b"
    assert shown.marks[0] == Mark("deadlock:100", "red", 0.1, 0.2, title, 103 * S)
    assert (shown.marks[1].tone, shown.marks[1].left) == ("orange", 0.9)
    assert shown.marks[1].left + shown.marks[1].width == pytest.approx(1.0)


def test_a_mark_leads_into_its_finding_however_short_that_was() -> None:
    shown = history.of_timeline(timeline(span("PROVEN", 999, 999, 1000)))
    assert 999 * S < shown.marks[0].jump_ns < 1000 * S
    assert shown.marks[0].left + shown.marks[0].width <= 1
    earlier = history.of_timeline(timeline(span("PROVEN", -50, -40, 100)))
    assert (earlier.marks[0].left, earlier.marks[0].width, earlier.marks[0].jump_ns) == (0.0, 0.1, 1 * S)


def test_nothing_was_recorded() -> None:
    empty = timeline()
    empty["changes"], empty["from_ns"] = [], empty["now_ns"]
    assert history.of_timeline(empty) == history.History(1000 * S, 1000 * S, [], [])


def test_spans_in_words() -> None:
    assert [ages.span(one) for one in (0.4, 119, 120, 7199, 7200, 11_100)] == [
        "0 s",
        "119 s",
        "2 min",
        "119 min",
        "2 h 0 min",
        "3 h 5 min",
    ]
