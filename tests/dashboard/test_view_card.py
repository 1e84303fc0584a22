# SPDX-License-Identifier: Apache-2.0
"""The verdict card: what stands on it, its lines of source, its links, and that it is only text."""

from __future__ import annotations

from typing import Any

import pytest

from peeps_dashboard.view import callers, card, card_html, editor
from peeps_dashboard.view.card import Card, Side
from peeps_dashboard.view.editor import Editor
from peeps_dashboard.view.source_rows import Mark, Row, rows_of
from tests.dashboard import fake_api, scenarios

NOW = scenarios.FROZEN_NOW


def of(scenario: str, wanted: str | None = None, **changes: Any) -> Card:
    world = scenarios.make(scenario, frozen=True)
    answer: Any = fake_api.findings_answer(world, NOW) | changes
    return card.of_answer(answer, world.process_rows(NOW), wanted)


def test_a_deadlock_with_both_lines() -> None:
    assert of("deadlock") == Card(
        tone="red",
        lead="DEADLOCK, PROVEN, 43 s",
        rest="worker-a waits for Lock db, held by worker-b, which waits for Lock cache, held by worker-a.",
        id="deadlock:0000000000000001",
        where="orders (4711)",
        fresh="data from 400 ms ago",
        certainty="PROVEN: only those named here could end these waits, none of them can, and none moved between two "
        "looks.",
        open_at="orders/jobs.py:45",
        open_shown="orders/jobs.py:45",
        open_line="async with self.cache:",
        sides=[
            Side(
                "worker-a",
                "holds Lock cache, waits for Lock db, 43 s",
                "orders/service.py:31",
                "orders/service.py:31",
                "transfer",
                [
                    Row(29, "def move():"),
                    Row(30, "    async with self.cache:", "took", "took Lock cache here"),
                    Row(31, "        async with self.db:", "here", "waits here, 43 s"),
                ],
            ),
            Side(
                "worker-b",
                "holds Lock db, waits for Lock cache, 43 s",
                "orders/jobs.py:45",
                "orders/jobs.py:45",
                "reconcile",
                [
                    Row(44, "async with self.db:", "took", "took Lock db here"),
                    Row(45, "    async with self.cache:", "here", "waits here, 43 s"),
                    Row(46, "        go()"),
                ],
            ),
        ],
        facts=[
            ("What would release it", "take db and cache in the same order everywhere, for instance db first"),
            ("Stop first", "worker-b: it took Lock db last at orders/jobs.py:44"),
        ],
        behind="31 tasks wait behind it: request-00, request-01, request-02, request-03, request-04 and 26 more.",
        sites=[],
        ended=[],
        text="DEADLOCK, PROVEN, 43 s\n"
        "worker-a waits for Lock db, held by worker-b, which waits for Lock cache, held by worker-a",
    )


def test_calm_and_nobody() -> None:
    calm, nobody = of("silent"), of("none")
    assert (calm.tone, calm.lead) == ("green", "Nothing is stuck")
    assert calm.unknown == "billing (4720) has sent nothing for 12 s; what is shown of it is the last it said."
    assert (nobody.tone, nobody.lead, nobody.sides) == ("gray", "No program is connected", ())


def test_what_has_ended_stays_below_and_its_link_opens_it() -> None:
    ended = {"id": "deadlock:1", "headline": "DEADLOCK, PROVEN, 43 s", "title": "a waits", "state": "resolved"}
    calm = of("healthy", ended=[ended | {"ended_ago": "20 s"}])
    assert calm.ended == [("DEADLOCK, PROVEN, 43 s, resolved 20 s ago", "a waits")]
    world = scenarios.make("healthy", frozen=True)
    world.ended.append("deadlock:1")
    answer: Any = fake_api.findings_answer(world, NOW)
    over: Any = fake_api.finding_answer(world, NOW, "deadlock:1")[1]["finding"]
    shown = card.of_answer(answer, world.process_rows(NOW), "deadlock:1", over)
    assert (shown.tone, len(shown.sides)) == ("gray", 2)
    assert shown.lead.startswith("Ended (resolved) 20 s ago: DEADLOCK, PROVEN")


def test_the_line_to_open_is_on_the_card_however_long_the_ring_is() -> None:
    world = scenarios.make("deadlock", frozen=True)
    finding: Any = fake_api.findings_answer(world, NOW)["findings"][0]
    first, second = finding["evidence"]
    middle = first | {"waiter": "task:X", "holder": "task:Y", "waiter_label": "middle", "wait_source": "m.py:1"}
    finding["evidence"] = [middle, middle, first, second]
    assert [side.who for side in card.sides_of(finding)] == ["worker-a", "worker-b"]


def test_who_else_is_in_the_ring_stands_below_with_his_line() -> None:
    world = scenarios.make("deadlock", frozen=True)
    answer: Any = fake_api.findings_answer(world, NOW)
    finding: Any = answer["findings"][0]
    first, second = finding["evidence"]
    third = first | {"waiter": "task:X", "waiter_label": "third", "wait_source": "m.py:7", "wait_short": "m.py:7"}
    finding["evidence"] = [first, second, third]
    assert not card.of_answer(answer, []).others
    finding["cycle"] = [*finding["cycle"], "task:X"]
    finding["sources"]["m.py:7"] = {"first": 6, "lines": ["def f():", "    g(<x>)"]}
    shown = card.of_answer(answer, [])
    assert shown.others == (card.Other("third", "waits for Lock db", "m.py:7", "m.py:7", "g(<x>)"),)
    assert "<b>third</b> waits for Lock db" in card_html.of_card(shown, Editor(""))
    assert "<code>g(&lt;x&gt;)</code>" in card_html.of_card(shown, Editor(""))


def test_from_where_somebody_came_to_the_line_of_a_helper() -> None:
    world = scenarios.make("deadlock", frozen=True)
    answer: Any = fake_api.findings_answer(world, NOW)
    finding: Any = answer["findings"][0]
    finding["evidence"] = finding["evidence"][:1]
    finding["evidence"][0] |= {"holder": None}
    for at, text in (("app.py:36", "await transfer(<a>)"), ("app.py:58", "await gather(*workers)")):
        finding["sources"][at] = {"first": int(at[-2:]), "lines": [f"    {text}"]}
    shown = card.of_answer(answer, [])
    assert shown.open_line == "async with self.cache:"
    assert [list(side.callers) for side in shown.sides] == [
        [
            callers.Caller("app.py:36", "app.py:36", "worker", "await transfer(<a>)"),
            callers.Caller("app.py:58", "app.py:58", "main", "await gather(*workers)"),
        ]
    ]
    text = card_html.of_card(shown, Editor(""))
    assert "<li>from <code>app.py:36</code> in worker <code>await transfer(&lt;a&gt;)</code></li>" in text
    assert '<code class="pc-line">async with self.cache:</code>' in text


def test_two_of_one_name_in_two_processes_have_their_process_beside_it() -> None:
    world = scenarios.make("deadlock", frozen=True)
    answer: Any = fake_api.findings_answer(world, NOW)
    finding: Any = answer["findings"][0]
    for step in finding["evidence"]:
        step["waiter_label"] = "MainThread"
    assert [side.who for side in card.of_answer(answer, world.process_rows(NOW)).sides] == ["MainThread"] * 2
    finding["nodes"]["task:B"]["process"] = scenarios.BILLING
    assert [side.who for side in card.of_answer(answer, world.process_rows(NOW)).sides] == [
        "MainThread of orders (4711)",
        f"MainThread of {scenarios.BILLING}",
    ]


def test_two_locks_of_one_name_are_told_apart() -> None:
    world = scenarios.make("deadlock", frozen=True)
    finding: Any = fake_api.findings_answer(world, NOW)["findings"][0]
    for link in finding["evidence"]:
        link["resource_label"] = "Lock _guard"
    first = card.sides_of(finding)[0]
    assert first.does == "holds Lock _guard, waits for another Lock _guard, 43 s"


def test_who_waits_for_what_he_has_himself_is_one_side() -> None:
    world = scenarios.make("deadlock", frozen=True)
    finding: Any = fake_api.findings_answer(world, NOW)["findings"][0]
    finding["evidence"] = finding["evidence"][:1]
    finding["evidence"][0]["holder"] = finding["evidence"][0]["waiter"]
    assert [side.who for side in card.sides_of(finding)] == ["worker-a"]


def test_a_holder_that_does_not_wait() -> None:
    world = scenarios.make("deadlock", frozen=True)
    finding: Any = fake_api.findings_answer(world, NOW)["findings"][0]
    finding["evidence"] = finding["evidence"][:1]
    finding["evidence"][0]["holder_doing"] = "sleeps at orders/jobs.py:45"
    holder = card.sides_of(finding)[1]
    assert (holder.who, holder.place) == ("worker-b", "orders/jobs.py:44")
    assert holder.does.startswith("holds Lock db")
    assert holder.does.endswith(", sleeps at orders/jobs.py:45")
    assert [(row.number, row.mark) for row in holder.rows] == [(44, "took"), (45, "here"), (46, "")]
    finding["evidence"][0]["holder"] = None
    assert [side.who for side in card.sides_of(finding)] == ["worker-a"]


def test_a_finding_about_no_node_shows_its_line() -> None:
    world = scenarios.make("deadlock", frozen=True)
    finding: Any = fake_api.findings_answer(world, NOW)["findings"][0] | {"evidence": []}
    assert [(side.place, len(side.rows)) for side in card.sides_of(finding)] == [("orders/jobs.py:45", 3)]


def test_lines_far_apart_have_a_gap_and_another_file_is_not_mixed_in() -> None:
    sources: Any = {
        "a.py:3": {"first": 1, "lines": ["  one", "", "  three", "  four", "  five"]},
        "a.py:20": {"first": 18, "lines": ["  x", "  y", "  z"]},
        "b.py:1": {"first": 1, "lines": ["other"]},
    }
    here, took = Mark("here", "h"), Mark("took", "t")
    assert rows_of({"a.py:20": here, "a.py:3": took, "b.py:1": took}, sources) == [
        Row(3, "three", "took", "t"),
        Row(4, "four"),
        Row(0, "…"),
        Row(19, "y"),
        Row(20, "z", "here", "h"),
    ]
    assert rows_of({"a.py:9": here}, sources) == rows_of({"": here}, sources) == rows_of({}, sources) == []


@pytest.mark.parametrize(
    ("variables", "place", "link"),
    [
        ({}, "/srv/shop/a b.py:7", "vscode://file/srv/shop/a%20b.py:7"),
        ({}, "C:\\shop\\a.py:7", "vscode://file/C:/shop/a.py:7"),
        ({}, "in aiohttp", ""),
        ({"PEEPS_EDITOR": "off"}, "/a.py:7", ""),
        ({"PEEPS_PATHS": "/app=/home/me/shop, /app/lib=/opt/lib"}, "/app/lib/x.py:1", "vscode://file/opt/lib/x.py:1"),
        ({"PEEPS_PATHS": "/app=/home/me/shop/"}, "/app/x.py:1", "vscode://file/home/me/shop/x.py:1"),
        ({"PEEPS_PATHS": "/app=/home"}, "/apple/x.py:1", "vscode://file/apple/x.py:1"),
        ({"PEEPS_EDITOR": "idea://open?file={path}&line={line}"}, "/a.py:7", "idea://open?file=/a.py&line=7"),
    ],
)
def test_the_link_to_an_editor(variables: dict[str, str], place: str, link: str) -> None:
    assert editor.from_environment(variables).link(place) == link


@pytest.mark.parametrize(
    "variables",
    [
        {"PEEPS_EDITOR": "javascript://alert({path})"},
        {"PEEPS_EDITOR": "vscode://file"},
        {"PEEPS_EDITOR": "x"},
        {"PEEPS_PATHS": "/app"},
    ],
)
def test_settings_that_make_no_link(variables: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="PEEPS_"):
        editor.from_environment(variables)


def test_names_are_only_text() -> None:
    html = card_html.of_card(of("hostile"), Editor())
    assert "<img" not in html
    assert "<b>bold" not in html
    assert "<script" not in html
    fakes = card_html.of_card(Card("red", "A\u202eB", 'x" onclick="y', text='line\n" onclick="'), Editor())
    assert "\u202e" not in fakes
    assert 'onclick="' not in fakes
    assert "line&#10;" in fakes


def test_what_else_was_found_is_named_with_its_line_and_leads_there() -> None:
    assert not of("deadlock").also
    shown = of("mixed", "channel_full:0000000000000002")
    assert shown.also == (
        card.Suspect("deadlock:0000000000000001", 0, "red", "DEADLOCK, PROVEN", "orders/jobs.py:45", "orders (4711)"),
        card.Suspect(
            "semaphore_starved:0000000000000003",
            2,
            "blue",
            "SEMAPHORE STARVED, SLOW",
            "billing/pool.py:14",
            "billing (4720)",
        ),
    )
    text = card_html.of_card(shown, Editor(""))
    assert '<a href="#pc-also">2 more found</a>' in text
    assert (
        '<a class="pc-red" href="?finding=deadlock%3A0000000000000001" data-suspect="0">DEADLOCK, PROVEN</a>'
        " <code>orders/jobs.py:45</code> in orders (4711)"
    ) in text


def test_of_very_many_the_first_are_named_and_the_same_in_other_processes_not() -> None:
    world = scenarios.make("mixed", frozen=True)
    answer: Any = fake_api.findings_answer(world, NOW)
    answer["findings"] += [answer["findings"][1] | {"id": f"channel_full:{n}"} for n in range(9)]
    answer["findings"] += [answer["findings"][1] | {"id": "channel_full:x", "same_as": "channel_full:1"}]
    shown = card.of_answer(answer, [])
    assert ([one.number for one in shown.also], shown.more) == ([1, 2, 3, 4, 5, 6], 5)
    assert "<li>and 5 more</li>" in card_html.of_card(shown, Editor(""))


def test_a_thread_that_holds_up_its_own_task_tells_the_line_once() -> None:
    world = scenarios.make("deadlock", frozen=True)
    finding: Any = fake_api.findings_answer(world, NOW)["findings"][0]
    link = finding["evidence"][0]
    finding["evidence"] = [link]
    thread = finding["nodes"]["task:A"] | {"id": "thread:M", "label": "MainThread"}
    finding["nodes"]["thread:M"] = thread
    link |= {"resource": "thread:M", "resource_label": "MainThread", "relation": "cannot run while", "hold_age": ""}
    link |= {
        "holder": "thread:M",
        "holder_label": "MainThread",
        "hold_source": None,
        "holder_doing": "waits for a socket",
    }
    (side,) = card.sides_of(finding)
    assert (side.who, side.place) == ("worker-a", "orders/service.py:31")
    assert side.does == "cannot run while MainThread is blocked, 43 s: it waits for a socket"
    thread["stack"] = [frame | {"line": 7} for frame in thread["stack"]]
    assert [side.who for side in card.sides_of(finding)] == ["worker-a", "MainThread"]
