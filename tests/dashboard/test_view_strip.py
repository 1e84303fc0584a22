# SPDX-License-Identifier: Apache-2.0
"""The finding in one line, and the head of the graph's picture."""

from __future__ import annotations

from typing import Any

import pytest

from peeps_dashboard.view import focus, strip
from peeps_dashboard.view.strip import Strip
from tests.dashboard import fake_api, scenarios

NOW = scenarios.FROZEN_NOW
KNOWN: Any = scenarios.make("deadlock", frozen=True).process_rows(NOW)


def deadlock() -> Any:
    return fake_api.findings_answer(scenarios.make("deadlock", frozen=True), NOW)["findings"][0]


def test_a_finding_in_one_line_has_the_line_to_open() -> None:
    assert strip.of_finding(deadlock(), KNOWN) == Strip(
        tone="red",
        lead="DEADLOCK, PROVEN, 43 s",
        place="orders/jobs.py:45",
        shown="orders/jobs.py:45",
        line="async with self.cache:",
        where="orders (4711)",
    )


def test_of_many_processes_one_is_named() -> None:
    finding = deadlock()
    finding["processes"] = [scenarios.ORDERS, scenarios.BILLING]
    assert strip.of_finding(finding, KNOWN).where == f"orders (4711) and {scenarios.BILLING}"
    finding["processes"] *= 2
    assert strip.of_finding(finding, KNOWN).where == "orders (4711) and 3 more"


def test_one_that_has_ended_says_so_in_gray() -> None:
    shown = strip.of_finding(deadlock() | {"state": "resolved", "ended_ago": "20 s"}, KNOWN)
    assert (shown.tone, shown.lead) == ("gray", "Ended (resolved) 20 s ago: DEADLOCK, PROVEN, 43 s")


def test_one_that_ended_with_its_process_is_not_said_to_be_resolved() -> None:
    finding = deadlock() | {"state": "resolved", "ended_ago": "20 s", "last_seen_ns": NOW - 20 * scenarios.S}
    (known,) = [one for one in KNOWN if one["id"] == scenarios.ORDERS]
    leads: list[str] = []
    for state, heard_s in (("gone", 19), ("gone", 2), ("live", 19)):
        changed: Any = known | {"state": state, "last_seen_ns": NOW - heard_s * scenarios.S}
        leads.append(strip.of_finding(finding, [changed]).lead)
    assert leads == [
        "Ended with its process 20 s ago: DEADLOCK, PROVEN, 43 s",
        "Ended (resolved) 20 s ago: DEADLOCK, PROVEN, 43 s",
        "Ended (resolved) 20 s ago: DEADLOCK, PROVEN, 43 s",
    ]


def test_where_nothing_is_stuck_the_line_says_that() -> None:
    answer: Any = fake_api.findings_answer(scenarios.make("healthy", frozen=True), NOW)
    assert strip.of_calm(answer) == Strip("green", "Nothing is stuck")


@pytest.mark.parametrize(
    ("finding", "changed", "filtered", "head"),
    [
        (None, {}, None, "All that is alive"),
        ("deadlock:1", {}, None, "Who is in the ring, and who waits behind"),
        ("deadlock:1", {"behind": {"count": 0, "text": ""}}, None, "Who is in the ring"),
        ("deadlock:1", {"cycle": []}, None, "Who is in it, and who waits behind"),
        ("deadlock:1", {"state": "resolved"}, None, "Who was in it when it ended"),
        (None, {}, "site:a.py", "Nothing alive passes site:a.py"),
    ],
)
def test_the_head_says_what_the_picture_is_of(
    finding: str | None, changed: dict[str, Any], filtered: str | None, head: str
) -> None:
    nothing: Any = {"nodes": []}
    assert focus.head(finding, deadlock() | changed, filtered, nothing) == head
