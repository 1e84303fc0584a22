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

from peeps_collector.cli.style import Style, printable, table
from peeps_collector.cli.why import report
from peeps_collector.wording import duration
from peeps_otel.model import Node, NodeKind, Wait
from tests.collector.collector_support import Deadlock, Program, Running, new_id
from tests.support.network import http
from tests.support.processes import environment, peeps
from tests.support.waiting import eventually


def stuck(collector: Running) -> Deadlock:
    """A collector that has found a deadlock."""
    program, deadlock = Program(), Deadlock()
    collector.send(program.snapshot(*deadlock.graph(), key_frame=True))

    def found() -> bool:
        collector.send(program.snapshot([]))
        return bool(collector.get("/api/findings")["verdict"]["stuck"])

    eventually(found)
    return deadlock


def test_why_says_which_line_to_open(collector: Running) -> None:
    stuck(collector)
    result = collector.peeps("why")
    assert result.returncode == 1, result.stderr
    lines = result.stdout.splitlines()
    assert re.match(r"DEADLOCK, PROVEN, \d+ s: worker-", lines[0])
    assert lines[1] == "in shop (pid 4711)"
    text = result.stdout
    assert "waits at app.py:31" in text
    assert "    -> app.py:31 in move" in text
    assert "       app.py:80 in main" in text
    assert "    -> app.py:47 in audit" in text
    assert re.search(r"held by worker-b since \d+ s, taken at app.py:45, which waits for Lock ", text)
    assert re.fullmatch(r"Open: app.py:\d+", lines[2])
    assert re.search(r"^Stop first: worker-[ab]: it took Lock .* last at app.py:\d+$", text, re.M)
    assert "locks.py" not in text, "frames of the library are left out"
    assert "What would release it:" in text
    assert "1 task waits behind it: worker-c." in text
    assert "\033" not in text, "no colours into a pipe"


def test_progress_of_a_program_that_stands_still(collector: Running) -> None:
    stuck(collector)
    result = collector.peeps("progress", "0.1")
    assert result.returncode == 1, result.stderr
    assert re.match(r"0 of \d tasks advanced in 0.1 s\n\nDid not advance:\n", result.stdout)
    assert re.search(r"^  worker-a: lock.acquire for \d+ s at app.py:31$", result.stdout, re.M)
    found = json.loads(collector.peeps("progress", "0", "--json").stdout)
    assert (found["advanced"], len(found["still"])) == ([], 3)


def test_why_as_json_and_by_process(collector: Running) -> None:
    stuck(collector)
    for process in ("4711", "shop", "app-1", "app"):
        result = collector.peeps("why", "--json", "--process", process)
        assert result.returncode == 1
        assert json.loads(result.stdout)["verdict"]["level"] == "PROVEN"
    unknown = collector.peeps("why", "--process", "nobody")
    assert unknown.returncode == 2
    assert "no process 'nobody' is known; known are: shop (pid 4711, live)" in unknown.stderr


def test_why_of_nothing(collector: Running) -> None:
    result = collector.peeps("why", "--wait", "0.2")
    assert (result.returncode, result.stdout) == (0, "No program is connected.\n")
    program = Program()
    waiting = Node(new_id(NodeKind.TASK), NodeKind.TASK, "t", 1, "app.py:1")
    waiting.wait = Wait("sleep", program_time(collector) - 3_000_000_000, "app.py:10", deadline_ns=1 << 62)
    collector.send(program.snapshot([waiting, Node(new_id(NodeKind.TASK), NodeKind.TASK, "u", 1, "a.py:1")]))
    result = collector.peeps("why")
    assert result.returncode == 0
    assert re.match(r"Nothing is stuck: 2 tasks, the longest wait is \d+ s \(sleep at app.py:10\)\.", result.stdout)


def program_time(collector: Running) -> int:
    return collector.get("/health")["now_ns"]


def test_ps_has_the_longest_wait_first(collector: Running) -> None:
    deadlock = stuck(collector)
    result = collector.peeps("ps")
    assert result.returncode == 0, result.stderr
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["PROCESS", "NAME", "STATE", "WAITS", "FOR", "SINCE", "WHERE"]
    assert len(rows) == 3
    assert re.match(r"shop/4711 +worker-a +waiting +lock\.acquire Lock cache +\d+ s +app\.py:31$", rows[0])
    assert len(collector.peeps("ps", "--all", "--process", "shop").stdout.splitlines()) == 6
    nodes = json.loads(collector.peeps("ps", "--json").stdout)["nodes"]
    assert {node["id"] for node in nodes} == {deadlock.a, deadlock.b, deadlock.tail}


def test_sql(collector: Running) -> None:
    result = collector.peeps("sql", "SELECT 1 AS one, NULL AS nothing")
    assert (result.returncode, result.stdout) == (0, "one  nothing\n1    NULL\n(1 row)\n")
    assert json.loads(collector.peeps("sql", "--json", "SELECT 1 AS one").stdout)["rows"] == [[1]]
    refused = collector.peeps("sql", "DROP TABLE log")
    assert refused.returncode == 2
    assert "DROP is not allowed" in refused.stderr


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
    settings = {"PEEPS_LISTEN": "127.0.0.1:0", "PEEPS_API": "127.0.0.1:0", variable: taken}
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


@pytest.mark.parametrize(
    ("resource", "hold", "words"),
    [
        ("task:b", {}, ["a waits for the end of b", "  b is here:", "    -> b.py:7 in g"]),
        ("tx:q", {}, ["a waits to put into Queue work", "  b could end the wait, but is here:", "    -> b.py:7 in g"]),
        ("lock:l", {"hold_source": "b.py:5"}, ["a waits for RLock (c.py:1)", "  held by b, taken at b.py:5"]),
    ],
)
def test_the_words_fit_what_is_waited_for(resource: str, hold: dict[str, Any], words: list[str]) -> None:
    def node(name: str, attributes: dict[str, str], stack: list[dict[str, Any]], kind: str = "task") -> dict[str, Any]:
        return {
            "kind": kind,
            "name": name,
            "source": "c.py:1",
            "attributes": attributes,
            "stack": stack,
            "wait": None,
        }

    nodes = {
        "task:a": node("a", {}, []),
        "task:b": node("b", {}, [{"function": "g", "file": "b.py", "line": 7}]),
        "tx:q": node("work", {}, [], "tx"),
        "lock:l": node("", {"peeps.resource.type": "threading.RLock"}, [], "lock"),
    }
    link = {
        "waiter": "task:a",
        "resource": resource,
        "holder": "task:b",
        "since_ns": 0,
        "wait_source": "",
        "hold_since_ns": None,
        "hold_source": None,
    }
    finding = {
        "kind": "deadlock",
        "level": "PROVEN",
        "title": "t",
        "since_ns": 0,
        "processes": [],
        "evidence": [link | hold],
        "nodes": nodes,
        "blocked": [],
        "blocked_count": 0,
        "advice": "",
    }
    lines = report({"now_ns": 1, "findings": [finding], "not_answered": [], "verdict": {}}, {}, Style())
    assert lines[2 : 2 + len(words)] == words


def test_a_finding_whose_nodes_are_not_known() -> None:
    finding = {
        "kind": "lock_starved",
        "level": "SUSPECT",
        "title": "somebody waits",
        "since_ns": 0,
        "processes": ["gone-1"],
        "evidence": [
            {
                "waiter": "task:x",
                "resource": "lock:y",
                "holder": None,
                "since_ns": 0,
                "wait_source": "",
                "hold_since_ns": None,
                "hold_source": None,
                "text": "",
            }
        ],
        "nodes": {},
        "blocked": [],
        "blocked_count": 2,
        "advice": "",
    }
    answer = {"now_ns": 61_000_000_000, "findings": [finding], "not_answered": ["gone-1"], "verdict": {}}
    assert report(answer, {}, Style()) == [
        "LOCK STARVED, SUSPECT, 1 min 1 s: somebody waits",
        "in gone-1",
        "",
        "task:x waits for lock:y",
        "",
        "2 tasks wait behind it.",
        "",
        "Not answered, so not judged now: gone-1",
    ]


def test_frames_of_libraries_are_left_out_and_never_pointed_at() -> None:
    own = {"function": "book", "file": "/srv/lib/python3/shop.py", "line": 9, "own": True}
    library = {"function": "get", "file": "/v/aiohttp/connector.py", "line": 20, "own": False, "library": "aiohttp"}
    finding: dict[str, Any] = {
        "kind": "loop_blocked",
        "level": "SUSPECT",
        "title": "t",
        "since_ns": 0,
        "processes": [],
        "evidence": [],
        "nodes": {},
        "blocked": [],
        "blocked_count": 0,
        "advice": "",
    }

    def lines(**more: Any) -> list[str]:
        return report({"now_ns": 1, "findings": [finding | more], "not_answered": []}, {}, Style())[1:-2]

    assert lines(look_at="/srv/lib/python3/shop.py:9", stack=[own, library]) == [
        "Open: /srv/lib/python3/shop.py:9",
        "    -> /srv/lib/python3/shop.py:9 in book",
    ]
    assert lines(stack=[library]) == ["       /v/aiohttp/connector.py:20 in get"]
    untold = {"function": "main", "file": "app.py", "line": 1}
    assert lines(stack=[untold, library]) == ["    -> app.py:1 in main"]


def test_the_environment_of_tests_is_clean() -> None:
    assert not [key for key in environment() if key.startswith(("PEEPS_", "OTEL_"))]
