# SPDX-License-Identifier: Apache-2.0
"""What `peeps why` and its neighbours print of an answer, without a collector."""

from __future__ import annotations

from typing import Any

import pytest

from peeps_collector.cli import blame
from peeps_collector.cli.why import report
from peeps_otel.model import Frame, Node, NodeKind
from peeps_otel.report import in_words
from peeps_otel.report.in_words import Places
from peeps_otel.report.sentences import duration
from peeps_otel.report.style import Style, printable, table


def test_places_are_relative_to_where_the_program_runs() -> None:
    places = Places("/srv/shop")
    whole = [
        "/srv/shop/a/b.py:7",
        "/v/lib/python3.11/site-packages/sqlalchemy/pool/impl.py:1",
        "/x/y/z.py:3",
        "<string>:1",
    ]
    assert [places.short(one) for one in whole] == ["a/b.py:7", "sqlalchemy/pool/impl.py:1", "y/z.py:3", "<string>:1"]
    assert places.short("in aiohttp, started at /srv/shop/app.py:1") == "in aiohttp, started at app.py:1"
    text = "waits at shop/app.py:1, not at shop/app.py:12"
    assert places.in_text(text, ["/srv/shop/app.py:1"]) == "waits at app.py:1, not at shop/app.py:12"


def test_places_of_blame_are_short_unless_asked_for() -> None:
    waited = 9_000_000_000
    waiter = {"site": "/srv/shop/app/work.py:31", "site_short": "app/work.py:31", "ns": waited}
    row = {"holder_site": "/srv/shop/app/hold.py:40", "holder_short": "app/hold.py:40", "waiters": [waiter]}
    row |= {"ns": waited, "direct_ns": waited, "waits": 1, "resources": ["lock db"]}
    answer = {"now_ns": 60_000_000_000, "since_ns": 0, "total_ns": waited, "rows": [row]}
    assert blame.listing(answer, Style())[1].split()[-2:] == ["app/work.py:31", "app/hold.py:40"]
    assert blame.listing(answer, Style(), paths=True)[1].split()[-2:] == [waiter["site"], row["holder_site"]]


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (-5, "0 ms"),
        (350_000_000, "350 ms"),
        (43_900_000_000, "43 s"),
        (60_000_000_000, "1 min"),
        (185_000_000_000, "3 min 5 s"),
        (7_380_000_000_000, "2 h 3 min"),
        (86_400_000_000_000, "1 d"),
        (950_400_000_000_000, "11 d"),
        (954_000_000_000_000, "11 d 1 h"),
    ],
)
def test_durations(ns: int, words: str) -> None:
    assert duration(ns) == words


def test_names_cannot_drive_the_terminal() -> None:
    assert printable("a\033[31mb\nc") == "a�[31mb c"
    assert table(["A", "B"], [["x\033", "long"]])[1] == "x�  long"


def answer_of(finding: dict[str, Any], now_ns: int = 1, not_answered: list[str] | None = None) -> dict[str, Any]:
    """As the API tells it. `finding`: what matters to the test."""
    common: dict[str, Any] = {
        "level": "SUSPECT",
        "state": "open",
        "title": "t",
        "since_ns": 0,
        "processes": [],
        "blocked_count": 0,
        "advice": "",
        "break_first": "",
        "look_at": "",
        "stack": [],
        "blocked_sites": [],
        "evidence": [],
    }
    nodes: dict[str, Any] = finding.pop("nodes", {})
    told: dict[str, Any] = in_words.finding(common | finding, nodes, now_ns, Places()) | {"nodes": nodes}
    told["behind"] = in_words.behind([], nodes, told["blocked_count"])
    verdict: dict[str, Any] = {"connected": True, "cannot_judge": [], "sentence": ""}
    return {"now_ns": now_ns, "findings": [told], "not_answered": not_answered or [], "verdict": verdict}


@pytest.mark.parametrize(
    ("resource", "hold", "words"),
    [
        ("task:b", {}, ["a waits for the end of b", "  b is here:", "    -> b.py:7 in g"]),
        ("tx:q", {}, ["a waits to put into Queue work", "  b could end the wait, but is here:", "    -> b.py:7 in g"]),
        ("lock:l", {"hold_source": "b.py:5"}, ["a waits for RLock (c.py:1)", "  held by b, taken at b.py:5"]),
    ],
)
def test_the_words_fit_what_is_waited_for(resource: str, hold: dict[str, Any], words: list[str]) -> None:
    def node(node_id: str, name: str, stack: tuple[Frame, ...] = (), **attributes: Any) -> dict[str, Any]:
        kind = NodeKind(node_id.partition(":")[0])
        made = Node(node_id, kind, name, 1, "c.py:1", stack=stack, attributes=attributes)
        return in_words.live_node(made, 1, Places())

    nodes = {
        "task:a": node("task:a", "a"),
        "task:b": node("task:b", "b", (Frame("g", "b.py", 7),)),
        "tx:q": node("tx:q", "work"),
        "lock:l": node("lock:l", "", (), **{"peeps.resource.type": "threading.RLock"}),
    }
    link = {
        "waiter": "task:a",
        "resource": resource,
        "holder": "task:b",
        "since_ns": 0,
        "wait_source": "",
        "hold_since_ns": None,
        "hold_source": None,
        "holder_doing": "",
        "text": "",
    }
    finding = {"kind": "deadlock", "level": "PROVEN", "evidence": [link | hold], "nodes": nodes}
    lines = report(answer_of(finding), {}, Style())
    assert lines[3 : 3 + len(words)] == words


def test_a_finding_whose_nodes_are_not_known() -> None:
    step = {
        "waiter": "task:01JABCDEFGHX",
        "resource": "lock:01JABCDEFGHY",
        "holder": None,
        "since_ns": 0,
        "wait_source": "",
        "hold_since_ns": None,
        "hold_source": None,
        "holder_doing": "",
        "text": "",
    }
    finding = {
        "kind": "lock_starved",
        "title": "somebody waits",
        "processes": ["gone-1"],
        "evidence": [step],
        "blocked_count": 2,
    }
    assert report(answer_of(finding, 61_000_000_000, ["gone-1"]), {}, Style()) == [
        "LOCK STARVED, SUSPECT, 1 min 1 s: somebody waits",
        "in gone-1",
        "SUSPECT: it has lasted too long; it would be LIKELY if nobody who is known could still end it.",
        "",
        "Task …DEFGHX (gone) waits for Lock …DEFGHY (gone)",
        "",
        "2 tasks wait behind it.",
        "",
        "Not answered, so not judged now: gone-1",
    ]


def test_findings_that_are_alike_are_told_once_and_those_not_told_are_counted() -> None:
    def task(name: str) -> dict[str, Any]:
        return in_words.live_node(Node(f"task:{name}", NodeKind.TASK, name, 1, "c.py:1"), 1, Places())

    nodes = {one["id"]: one for one in (task("b"), task("c"))}
    finding = {
        "kind": "never_ends",
        "level": "LIKELY",
        "title": "a waits for Event e",
        "nodes": nodes,
        "count": 1000,
        "examples": ["task:b", "task:c"],
    }
    lines = report(answer_of(finding) | {"untold": 1200}, {}, Style())
    assert lines[0].endswith(": a waits for Event e (and 999 alike)")
    assert lines[-4:] == [
        "The same at the same lines: b, c and 997 more.",
        "Nothing else waits behind it.",
        "",
        "and 1,200 more findings, which are not told one by one.",
    ]
    alone = report(answer_of(finding | {"count": 1, "examples": []}), {}, Style())
    assert not [line for line in alone if "alike" in line or "The same" in line or "more findings" in line]


def test_frames_of_libraries_are_left_out_and_never_pointed_at() -> None:
    own = {"function": "book", "file": "/srv/lib/python3/shop.py", "line": 9, "own": True}
    library = {"function": "get", "file": "/v/aiohttp/connector.py", "line": 20, "own": False, "library": "aiohttp"}

    def lines(paths: bool = False, **more: Any) -> list[str]:
        answer = answer_of({"kind": "loop_blocked"} | more)
        return [line for line in report(answer, {}, Style(), paths=paths)[1:-2] if not line.startswith("SUSPECT")]

    about: dict[str, Any] = {"look_at": "/srv/lib/python3/shop.py:9", "stack": [own, library]}
    assert lines(**about) == ["Open: python3/shop.py:9", "    -> python3/shop.py:9 in book"]
    assert lines(True, **about) == [
        "Open: /srv/lib/python3/shop.py:9",
        "    -> /srv/lib/python3/shop.py:9 in book",
    ]
    assert lines(stack=[library]) == ["       aiohttp/connector.py:20 in get"]
    untold = {"function": "main", "file": "app.py", "line": 1}
    assert lines(stack=[untold, library]) == ["    -> app.py:1 in main"]
