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

from peeps_otel.model import Finding, FindingKind, Level, Node, NodeKind, Wait, finding_id
from peeps_otel.model.coverage import blind
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


def program_time(collector: Running) -> int:
    return collector.get("/health")["now_ns"]


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
