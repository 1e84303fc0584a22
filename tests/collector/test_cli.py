# SPDX-License-Identifier: Apache-2.0
"""The `peeps` command: what it prints, and its exit code."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from peeps_collector.cli import blame
from peeps_collector.cli.why import report
from peeps_otel.model import Finding, FindingKind, Frame, Level, Node, NodeKind, Wait, finding_id
from peeps_otel.model.coverage import blind
from peeps_otel.report import in_words
from peeps_otel.report.in_words import Places
from peeps_otel.report.sentences import duration
from peeps_otel.report.style import Style, printable, table
from tests.collector.collector_support import (
    Program,
    Running,
    event,
    finding_event,
    key_values,
    logs_request,
    new_id,
    resource,
)
from tests.support.network import http
from tests.support.processes import environment, peeps
from tests.support.waiting import eventually

AGE = r"\d+ (?:s|min(?: \d+ s)?)"


def judged(collector: Running, program: Program) -> None:
    """Until the program has been looked at twice."""

    def seen() -> bool:
        collector.send(program.snapshot([]))
        (process,) = collector.get("/api/processes")["processes"]
        return not any("first look pending" in note for note in process["cannot_judge"])

    eventually(seen)


def test_why_says_which_line_to_open(with_a_deadlock: Running) -> None:
    collector = with_a_deadlock
    result = collector.peeps("why")
    assert result.returncode == 1, result.stderr
    lines = result.stdout.splitlines()
    assert re.match(rf"DEADLOCK, PROVEN, {AGE}: worker-", lines[0])
    assert lines[1] == "in shop (pid 4711)"
    text = result.stdout
    assert "waits at app.py:31" in text
    assert "    -> app.py:31 in move" in text
    assert "       app.py:80 in main" in text
    assert "    -> app.py:47 in audit" in text
    assert re.search(rf"held by worker-b since {AGE}, taken at app.py:45, which waits for Lock ", text)
    assert re.fullmatch(r"Open: app.py:\d+", lines[2])
    assert re.search(r"^Stop first: worker-[ab]: it took Lock .* last at app.py:\d+$", text, re.M)
    assert "locks.py" not in text, "frames of the library are left out"
    assert "What would release it:" in text
    assert "1 task waits behind it: worker-c." in text
    assert "\033" not in text, "no colours into a pipe"


def test_progress_of_a_program_that_stands_still(with_a_deadlock: Running) -> None:
    collector = with_a_deadlock
    result = collector.peeps("progress", "0.1")
    assert result.returncode == 1, result.stderr
    assert re.match(r"0 of \d tasks advanced in 0.1 s\n\nDid not advance:\n", result.stdout)
    assert re.search(rf"^  worker-a: lock.acquire for {AGE} at app.py:31$", result.stdout, re.M)
    found = json.loads(collector.peeps("progress", "0", "--json").stdout)
    assert (found["advanced"], len(found["still"])) == ([], 3)


def test_why_as_json_and_by_process(with_a_deadlock: Running) -> None:
    collector = with_a_deadlock
    for process in ("4711", "shop", "app-1", "app"):
        result = collector.peeps("why", "--json", "--process", process)
        assert result.returncode == 1
        assert json.loads(result.stdout)["verdict"]["level"] == "PROVEN"
    unknown = collector.peeps("why", "--process", "nobody")
    assert unknown.returncode == 2
    assert "no process 'nobody' is known; known are: shop (pid 4711, live)" in unknown.stderr


def test_why_of_nothing(collector: Running) -> None:
    result = collector.peeps("why", "--wait", "0.2")
    assert (result.returncode, result.stdout) == (2, "No program is connected.\n")
    program = Program()
    waiting = Node(new_id(NodeKind.TASK), NodeKind.TASK, "t", 1, "app.py:1")
    waiting.wait = Wait("sleep", program_time(collector) - 3_000_000_000, "app.py:10", deadline_ns=1 << 62)
    collector.send(program.snapshot([waiting, Node(new_id(NodeKind.TASK), NodeKind.TASK, "u", 1, "a.py:1")]))
    result = collector.peeps("why")
    assert result.returncode == 2
    assert result.stdout.startswith("Cannot judge: shop (pid 4711): first look pending")
    judged(collector, program)
    result = collector.peeps("why")
    assert result.returncode == 0
    assert re.match(r"Nothing is stuck: 2 tasks, the longest wait is \d+ s \(sleep at app.py:10\)\.", result.stdout)


def test_the_level_from_which_it_fails(collector: Running) -> None:
    program = Program()
    waiting = Node(new_id(NodeKind.TASK), NodeKind.TASK, "t", 1, "app.py:1")
    waiting.wait = Wait("sleep", program_time(collector), "app.py:10", deadline_ns=1 << 62)
    core = [waiting.id]
    finding = Finding(finding_id(FindingKind.DEADLOCK, core), FindingKind.DEADLOCK, Level.SUSPECT, "t", 1, core)
    collector.send(program.snapshot([waiting], key_frame=True))
    collector.send(program.request(finding_event(finding, "open")))
    judged(collector, program)

    codes = {level: collector.peeps("why", "--fail-on", level).returncode for level in ("LIKELY", "SUSPECT", "SLOW")}
    assert codes == {"LIKELY": 0, "SUSPECT": 1, "SLOW": 1}


def test_what_cannot_be_judged_is_never_called_calm(collector: Running) -> None:
    program = Program()
    program.coverage = [blind("gevent has replaced threads"), "frames: not read"]
    collector.send(program.snapshot([], key_frame=True))
    judged(collector, program)
    result = collector.peeps("why", "--wait", "0.1")
    told = json.loads(collector.peeps("why", "--json").stdout)["verdict"]
    assert [(one["name"], one["note"]) for one in told["cannot_judge"]] == [
        ("shop (pid 4711)", "gevent has replaced threads")
    ]
    assert result.stdout.endswith("Cannot judge: shop (pid 4711): gevent has replaced threads.\n")
    assert "Nothing is stuck" not in result.stdout
    assert (result.returncode, told["sentence"].startswith("Cannot judge")) == (2, True)


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


def program_time(collector: Running) -> int:
    return collector.get("/health")["now_ns"]


def test_places_of_blame_are_short_unless_asked_for() -> None:
    waited = 9_000_000_000
    waiter = {"site": "/srv/shop/app/work.py:31", "site_short": "app/work.py:31", "ns": waited}
    row = {"holder_site": "/srv/shop/app/hold.py:40", "holder_short": "app/hold.py:40", "waiters": [waiter]}
    row |= {"ns": waited, "direct_ns": waited, "waits": 1, "resources": ["lock db"]}
    answer = {"now_ns": 60_000_000_000, "since_ns": 0, "total_ns": waited, "rows": [row]}
    assert blame.listing(answer, Style())[1].split()[-2:] == ["app/work.py:31", "app/hold.py:40"]
    assert blame.listing(answer, Style(), paths=True)[1].split()[-2:] == [waiter["site"], row["holder_site"]]


def test_ps_has_the_longest_wait_first(with_a_deadlock: Running) -> None:
    collector = with_a_deadlock
    result = collector.peeps("ps")
    assert result.returncode == 0, result.stderr
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["PROCESS", "NAME", "STATE", "WAITS", "FOR", "SINCE", "WHERE"]
    assert len(rows) == 3
    assert re.match(rf"shop/4711 +worker-a +waiting +lock\.acquire Lock cache +{AGE} +app\.py:31$", rows[0])
    assert len(collector.peeps("ps", "--all", "--process", "shop").stdout.splitlines()) == 6
    nodes = json.loads(collector.peeps("ps", "--json").stdout)["nodes"]
    assert {node["name"] for node in nodes} == {"worker-a", "worker-b", "worker-c"}


def test_sql(with_a_deadlock: Running) -> None:
    collector = with_a_deadlock
    result = collector.peeps("sql", "SELECT 1 AS one, NULL AS nothing")
    assert (result.returncode, result.stdout) == (0, "one  nothing\n1    NULL\n(1 row)\n")
    assert json.loads(collector.peeps("sql", "--json", "SELECT 1 AS one").stdout)["rows"] == [[1]]
    refused = collector.peeps("sql", "DROP TABLE log")
    assert refused.returncode == 2
    assert "DROP is not allowed" in refused.stderr


def test_places_in_sql_are_short(collector: Running) -> None:
    """Where they are the whole cell; a text that names a place is the writer's."""
    source = resource("in-srv")
    source.attributes.extend(key_values({"process.working_directory": "/srv/shop"}))
    collector.send(logs_request(event("note"), source=source))
    whole = ("/srv/shop/web/app.py:9", "/opt/lib/site-packages/pool/core.py:7", "/a/b/c.py:3", "at /srv/shop/app.py:9")
    statement = f"SELECT unnest({list(whole)}) AS place"
    printed = [line.strip() for line in collector.peeps("sql", statement).stdout.splitlines()]
    assert printed == ["place", "web/app.py:9", "pool/core.py:7", "b/c.py:3", whole[3], "(4 rows)"]
    printed = [line.strip() for line in collector.peeps("sql", "--paths", statement).stdout.splitlines()]
    assert printed == ["place", *whole, "(4 rows)"]
    assert json.loads(collector.peeps("sql", "--json", statement).stdout)["rows"] == [[one] for one in whole]


@pytest.mark.parametrize("command", [["why"], ["ps"], ["sql", "SELECT 1"]])
def test_without_a_collector(command: list[str]) -> None:
    result = peeps(*command, PEEPS_API="127.0.0.1:9")
    assert result.returncode == 2
    assert "no collector answers at 127.0.0.1:9" in result.stderr
    assert "peeps up" in result.stderr


@pytest.fixture
def taken() -> Any:
    """An address that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("variable", ["PEEPS_LISTEN", "PEEPS_API"])
def test_a_needed_port_that_is_taken(taken: str, tmp_path: Path, variable: str) -> None:
    settings: dict[str, Any] = {"PEEPS_LISTEN": "127.0.0.1:0", "PEEPS_API": "127.0.0.1:0", variable: taken}
    result = peeps(
        "collector",
        **settings,
        PEEPS_OTLP_GRPC="off",
        PEEPS_OTLP_HTTP="off",
        PEEPS_DB=str(tmp_path / "x.duckdb"),
    )
    assert result.returncode == 2
    assert f"{taken} is taken by another program" in result.stderr
    assert variable in result.stderr
    assert "Traceback" not in result.stderr


def test_an_optional_port_that_is_taken(taken: str, start: Any) -> None:
    collector: Running = start(PEEPS_OTLP_GRPC=taken, PEEPS_OTLP_HTTP="127.0.0.1:0")
    health = collector.get("/health")
    assert health["warnings"] == [f"{taken} is taken by another program: OTLP/gRPC is not received there"]
    assert health["listen"]["grpc"] == [collector.otlp]
    other = health["listen"]["http"][1]
    assert http(f"http://{other}/v1/logs", b"{}", {"content-type": "application/json"}).status == 200
    assert f"warning: {taken} is taken" in collector.stop()


def test_up_without_the_explorer(start: Any) -> None:
    collector: Running = start()
    assert set(collector.ready) == {"grpc", "http", "api", "pid", "database"}
    assert collector.ready["pid"] == collector.process.pid
    collector.process.send_signal(signal.SIGINT)
    assert (collector.process.wait(30), collector.errors()) == (0, "")
    output = collector.output()
    assert f"OTLP on {collector.otlp} (gRPC and HTTP)" in output
    assert f"PEEPS_COLLECTOR_ENDPOINT={collector.otlp} opentelemetry-instrument python app.py" in output


def test_bad_settings() -> None:
    result = peeps("collector", PEEPS_LISTEN="0.0.0.0:9119")
    assert result.returncode == 2
    assert "PEEPS_LISTEN='0.0.0.0:9119' is not a loopback address" in result.stderr


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


def test_the_environment_of_tests_is_clean() -> None:
    assert not [key for key in environment() if key.startswith(("PEEPS_", "OTEL_"))]


def test_a_dump_says_what_the_collector_says(with_a_deadlock: Running, tmp_path: Path) -> None:
    collector = with_a_deadlock
    file = tmp_path / "all.peeps"
    nobody = collector.peeps("dump", str(file))
    assert (nobody.returncode, nobody.stderr) == (
        2,
        "peeps: say which process is to be dumped, by pid or service name, or --all\n",
    )
    written = collector.peeps("dump", "shop", str(file))
    assert written.returncode == 1, written.stderr
    assert re.match(rf"{file}: \d+ nodes of 1 process\. DEADLOCK, PROVEN, {AGE}: ", written.stdout)
    live, dumped = collector.peeps("why", "--no-ask"), peeps("why", str(file), PEEPS_API="127.0.0.1:1")
    assert dumped.returncode == live.returncode == 1
    without_ages = re.compile(r"\d+ (?:m?s|min)\b")
    assert without_ages.sub("", dumped.stdout) == without_ages.sub("", live.stdout)
