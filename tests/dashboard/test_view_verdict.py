# SPDX-License-Identifier: Apache-2.0
"""The sentences: verdict, numbers, suspects, both sides, silent processes."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from peeps_dashboard.view import ages, connect, processes, stacks, suspects, verdict, waiter_holder
from peeps_dashboard.view.stacks import Line, Stack
from peeps_dashboard.view.suspects import Suspect
from peeps_dashboard.view.verdict import Headline
from peeps_dashboard.view.waiter_holder import Side
from tests.dashboard import fake_api, scenarios

NOW = scenarios.FROZEN_NOW
S = scenarios.S


def findings_of(world: scenarios.World) -> Any:
    return fake_api.findings_answer(world, world.now_ns)


def test_clock_is_the_viewers() -> None:
    assert ages.clock(NOW, UTC) == "11:06:40"


def test_nothing_is_stuck_is_a_verdict_with_evidence() -> None:
    answer = findings_of(scenarios.make("healthy", frozen=True))
    assert verdict.of_calm(answer) == Headline(
        tone="green",
        lead="Nothing is stuck",
        rest="12 tasks, 9 of them waiting, none found stuck; "
        "the longest wait is main, 1 min 1 s (event.wait at app.py:58).",
        note="No ring of waits, no exhausted semaphore, no full channel, no lock held for too long was found.",
    )
    world = scenarios.make("healthy", frozen=True)
    assert verdict.calm_numbers(answer["calm"], world.process_rows(NOW)) == [
        ("Tasks", "12"),
        ("Waiting", "9"),
        ("Longest wait", "1 min 1 s"),
        ("Last change", "500 ms ago"),
        ("Processes", "1"),
    ]


def test_of_a_program_without_tasks_none_are_counted() -> None:
    answer = findings_of(scenarios.make("healthy", frozen=True))
    answer["calm"] |= {"tasks": 0, "waiting": 0, "longest_wait": None}
    assert verdict.of_calm(answer).rest == "no thread was found stuck, and there are no tasks."
    assert [name for name, _ in verdict.calm_numbers(answer["calm"], [])] == [
        "Longest wait",
        "Last change",
        "Processes",
    ]


def test_where_nothing_has_moved_the_headline_says_no_more_than_the_terminal() -> None:
    answer = findings_of(scenarios.make("healthy", frozen=True))
    answer["calm"] |= {
        "doubt": "nothing has moved for 34 s",
        "long_call": "MainThread has been at app.py:8 (in sqlite3.execute) for 34 s",
    }
    assert verdict.of_calm(answer) == Headline(
        tone="orange",
        lead="Nothing is known to be stuck, but nothing has moved for 34 s",
        rest="12 tasks, 9 of them waiting, none found stuck; "
        "the longest wait is main, 1 min 1 s (event.wait at app.py:58); "
        "MainThread has been at app.py:8 (in sqlite3.execute) for 34 s.",
        note="What ends these waits is not seen from here: it may lie outside.",
    )


def test_the_url_chooses_and_the_worst_stands_in() -> None:
    findings = findings_of(scenarios.make("mixed", frozen=True))["findings"]
    assert verdict.chosen(findings, "channel_full:0000000000000002") is findings[1]
    assert verdict.chosen(findings, "ended:0") is findings[0]
    assert verdict.chosen([], "ended:0") is None


def test_suspects_worst_first() -> None:
    findings = findings_of(scenarios.make("mixed", frozen=True))["findings"]
    assert suspects.ranked(findings)[1] == Suspect(
        id="channel_full:0000000000000002",
        tone="orange",
        head="CHANNEL FULL, SUSPECT",
        title="producer waits to put into Queue invoices, which is full (64 of 64); consumer reads it",
        facts="17 s · 4 tasks behind it",
    )
    assert [(s.tone, s.facts) for s in suspects.ranked(findings)] == [
        ("red", "43 s · 31 tasks behind it"),
        ("orange", "17 s · 4 tasks behind it"),
        ("blue", "12 s · nobody behind it"),
    ]


def test_waiter_and_holder_beside_each_other() -> None:
    world = scenarios.make("deadlock", frozen=True)
    finding = findings_of(world)["findings"][0]
    link = waiter_holder.link_at(finding, None)
    assert link is not None
    assert link is finding["evidence"][0]
    names = processes.names(world.process_rows(NOW))
    library = [Line("acquire", "asyncio/locks.py:113", False)]
    assert waiter_holder.of_link(link, finding, names) == (
        Side(
            role="waiter",
            node="task:A",
            who="worker-a",
            does="waits for Lock db, 43 s",
            process="orders (4711)",
            line_word="waits here",
            open_at="orders/service.py:31",
            stack=Stack(
                open_at="orders/service.py:31",
                own=[
                    Line("transfer", "orders/service.py:31", True, "async with self.db:"),
                    Line("worker", "app.py:36", False),
                    Line("main", "app.py:58", False),
                ],
                library=library,
            ),
        ),
        Side(
            role="holder",
            node="task:B",
            who="worker-b",
            does="holds Lock db, 44 s",
            process="orders (4711)",
            line_word="took it here",
            open_at="orders/jobs.py:44",
            stack=Stack(
                open_at="orders/jobs.py:45",
                own=[
                    Line("reconcile", "orders/jobs.py:45", True, "async with self.cache:"),
                    Line("worker", "app.py:41", False),
                    Line("main", "app.py:58", False),
                ],
                library=library,
            ),
        ),
    )


def test_the_stack_of_a_node_in_no_finding_has_the_text_of_its_wait() -> None:
    world = scenarios.make("deadlock", frozen=True)
    node: Any = world.told("task:A", NOW)
    assert [line.text for line in stacks.of_node(node).own] == ["", "", ""]
    node["wait"]["text"] = "    async with self.db:"
    assert [line.text for line in stacks.of_node(node).own] == ["async with self.db:", "", ""]


def test_a_focused_node_chooses_its_link() -> None:
    finding = findings_of(scenarios.make("deadlock", frozen=True))["findings"][0]
    chosen = [waiter_holder.link_at(finding, node) for node in ("task:B", "lock:CACHE", "lock:DB", "task:gone")]
    first, second = finding["evidence"]
    assert chosen == [second, second, first, first]


def test_nobody_known_holds_it() -> None:
    world = scenarios.make("channel_full", frozen=True)
    finding = findings_of(world)["findings"][0]
    link = finding["evidence"][0]
    reader = waiter_holder.of_link(link, finding, {})[1]
    assert (reader.role, reader.who, reader.does) == ("reader", "consumer", "should read Queue invoices")
    unknown = waiter_holder.of_link(link | {"holder": None}, finding, {})[1]
    assert (unknown.who, unknown.does) == ("Nobody known", "holds Queue invoices or could give it")
    assert unknown.stack is None


def test_a_stack_of_library_frames_only_is_still_shown_but_nothing_in_it_is_to_be_opened() -> None:
    world: Any = scenarios.World(NOW)
    frames = [("wait", "asyncio/locks.py", 10), ("get", "queue.py", 5)]
    lines = [Line("get", "queue.py:5", False), Line("wait", "asyncio/locks.py:10", False)]
    world.node("task:L", "lonely", source="app.py:3", stack=frames)
    assert stacks.of_node(world.told("task:L", NOW)) == Stack("app.py:3", lines, [])
    waits = ("queue.get", 3, "in aiohttp, started at app.py:3")
    world.node("task:M", "idle", source="lib.py:9", wait=waits, stack=frames)
    assert stacks.of_node(world.told("task:M", NOW)) == Stack("in aiohttp, started at app.py:3", lines, [])


def test_whose_the_frames_are_nobody_guesses() -> None:
    node: Any = {"source": "", "stack": [{"function": "f", "file": "site-packages/x.py", "line": 7, "short": "x.py:7"}]}
    assert stacks.of_node(node) == Stack("x.py:7", [Line("f", "x.py:7", True)], [])


def test_what_is_not_known_is_one_line() -> None:
    world = scenarios.make("silent", frozen=True)
    rows: Any = world.process_rows(NOW)
    silence = "billing (4720) has sent nothing for 12 s; what is shown of it is the last it said."
    assert processes.silence(rows) == processes.unknown(rows) == silence
    for number in range(299):
        world.process(f"p{number}", "web", number, "silent", 9.0)
    world.processes[-1]["shed"] = ["thread samples: 10 a second", "source lines of some waiting tasks"]
    many: Any = world.process_rows(NOW)
    assert processes.unknown(many) == (
        "300 of 301 processes have gone silent: billing (4720), web (0), web (1) and 297 more; what is shown of them "
        "is the last they said. Reduced, to stay cheap: source lines of some waiting tasks."
    )
    assert processes.freshness(rows) == "400 ms"
    assert processes.freshness([]) is None


def test_names_of_processes_are_unique() -> None:
    world = scenarios.World(NOW)
    for i in range(2):
        world.process(f"id-00000{i}", "web", 1)
    rows: Any = world.process_rows(NOW)
    assert processes.names(rows) == {"id-000000": "web (1) @ web-1 000000", "id-000001": "web (1) @ web-1 000001"}
    rows[1]["pid"] = 2
    assert processes.names(rows) == {"id-000000": "web (1)", "id-000001": "web (2)"}


def test_missing_counts_stay_absent() -> None:
    row: Any = {"id": "f", "service": "", "state": "foreign", "last_seen_ns": NOW - S, "last_seen_ago": "1 s"}
    assert processes.table([row]) == [
        {
            "process": "unnamed service",
            "state": "foreign",
            "tasks": "",
            "waiting": "",
            "last word": "1 s ago",
            "not covered": "",
        }
    ]


def test_connecting() -> None:
    assert connect.push_address(None) == "127.0.0.1:9119"
    assert connect.start(connect.push_address({"grpc": ["127.0.0.1:7000"], "http": []})) == (
        "PEEPS_COLLECTOR_ENDPOINT=127.0.0.1:7000 opentelemetry-instrument --service_name my-service python app.py"
    )
    assert connect.nobody([]).sentence == (
        "No program is connected: the collector is running and waits for the first one."
    )
    said = connect.unreachable("127.0.0.1:9130", "Connection refused", "unreachable")
    assert said.sentence == "The collector does not answer: nothing listens at 127.0.0.1:9130."
