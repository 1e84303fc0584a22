# SPDX-License-Identifier: Apache-2.0
"""One answers for all collectors: what is stuck across them, their history, and what happens when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.collector_process import CollectorProcess, on_free_ports
from tests.support.collector import Collector
from tests.support.lake import Lake
from tests.support.network import free_port, http
from tests.support.processes import end, environment, run_peeps
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SERVICES = Path(__file__).parents[1] / "e2e" / "services.py"
KEY_FRAME_S = "600"  # a head that begins must not wait for the next complete snapshot


@pytest.fixture
def two(lake: Lake) -> list[Collector]:
    return [lake.start("one"), lake.start("two")]


@pytest.fixture
def services(two: list[Collector]) -> Iterator[None]:
    """Two programs that wait for each other, each with a collector of its own."""
    ports = [str(free_port()), str(free_port())]
    started: list[subprocess.Popen[bytes]] = []
    for name, collector, own, other in (("shop", two[0], *ports), ("inventory", two[1], *reversed(ports))):
        settings = {"PEEPS_COLLECTOR_ENDPOINT": collector.otlp, "PEEPS_HEAP": "false", "PEEPS_KEY_FRAME_S": KEY_FRAME_S}
        command = [sys.executable, str(SERVICES), "aiohttp", "deadlock", name, own, other]
        started.append(subprocess.Popen(command, env=environment(**settings), stdin=subprocess.DEVNULL))
    yield
    for process in started:
        process.kill()
        process.wait()


def across(api: str) -> list[dict[str, Any]]:
    answer = http(f"http://{api}/api/findings").json()
    return [one for one in answer["findings"] if len(one["processes"]) > 1]


def rows(head: Collector, statement: str) -> Any:
    """None where that took too long on a busy machine."""
    answer = http(f"http://{head.api}/api/sql", f'{{"sql": "{statement}"}}'.encode())
    assert answer.status == 200 or "longer than" in str(answer.body), answer.body
    return answer.json()["rows"] if answer.status == 200 else None


def services_of(api: str) -> set[str]:
    return {one["service"] for one in http(f"http://{api}/api/processes").json()["processes"]}


@pytest.mark.usefixtures("services")
def test_a_deadlock_across_two_collectors_is_told_by_the_head(lake: Lake, two: list[Collector]) -> None:
    head = lake.start("head", "head")
    (finding,) = eventually(lambda: across(head.api), "a verdict across the two")
    assert (finding["kind"], finding["level"]) == ("deadlock", "LIKELY")
    assert services_of(head.api) == {"shop", "inventory"}
    # Neither of them can know.
    assert [across(one.api) for one in two] == [[], []]
    assert [services_of(one.api) for one in two] == [{"shop"}, {"inventory"}]
    said = head.peeps("why")
    assert (said.returncode, said.stdout[:18]) == (1, "DEADLOCK, LIKELY, ")
    # The same from the history, which is in the lake.
    by_shard = "SELECT service, count(DISTINCT shard) FROM process GROUP BY ALL ORDER BY service"
    eventually(lambda: rows(head, by_shard) == [["inventory", 1], ["shop", 1]], "both have come into the lake")
    wanted = [[finding["id"], "deadlock", "LIKELY", "open"]]
    stored = "SELECT finding, kind, level, state FROM finding WHERE len(processes) > 1"
    eventually(lambda: rows(head, stored) == wanted, "the head's own finding, too")
    members = head.get("/health")["lake"]["members"]
    assert [one["alive"] for one in members] == [True] * 3

    def past() -> bool:
        now_ns = head.get("/api/processes")["now_ns"]
        answer = http(f"http://{head.api}/api/snapshot?at={now_ns}")
        assert answer.status == 200 or "longer than" in str(answer.body), answer.body
        then: dict[str, Any] = answer.json() | {"edges": answer.json().get("edges", [])}
        services = {process["service"] for process in head.get("/api/processes")["processes"]}
        calls = [edge for edge in then["edges"] if edge["kind"] == "rpc_link"]
        return (
            len(services) == 2
            and len(calls) == 2
            and {"task", "lock"} <= {node["kind"] for node in then.get("nodes", [])}
        )

    eventually(past, "the graph of both as it was")


@pytest.mark.usefixtures("services")
def test_another_head_takes_over_when_the_first_is_killed(lake: Lake, tmp_path: Path) -> None:
    first = lake.start("first", "head")
    (finding,) = eventually(lambda: across(first.api), "a verdict")
    folder = tmp_path / "second"
    folder.mkdir()
    ready, said = folder / "ready.json", folder / "said.txt"
    variables = environment(**(on_free_ports(folder / "peeps.duckdb") | lake.settings()))
    with said.open("wb") as output:
        program = [sys.executable, "-m", "peeps_collector"]
        second = CollectorProcess(program, ready, variables, "head", output, output)
    try:
        eventually(lambda: "this one waits for it" in said.read_text())
        assert second.addresses() is None
        os.kill(first.process.pid, signal.SIGKILL)
        api = second.wait()["api"]
        (again,) = eventually(lambda: across(api), "the same verdict")
        assert again["id"] == finding["id"]
        assert services_of(api) == {"shop", "inventory"}
        answer = run_peeps(["sql", "SELECT count(DISTINCT shard) FROM every_finding", "--json"], {"PEEPS_API": api})
        assert answer.returncode == 0, answer.stderr
    finally:
        end(second.process)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("SELECT * FROM postgres_query('lake', 'SELECT 1')", "it reads what is no table of peeps"),
        ("SELECT * FROM read_text('/etc/hostname')", "disabled by configuration"),
        ("INSERT INTO span (name) VALUES ('x')", "INSERT is not allowed"),
        ("SET threads = 4", "SET is not allowed"),
    ],
)
def test_a_statement_reads_the_lake_and_nothing_else(read_only: Collector, statement: str, why: str) -> None:
    body = f'{{"sql": "{statement}"}}'.encode()
    answer = http(f"http://{read_only.api}/api/sql", body)
    assert answer.status == 400
    assert why in answer.json()["error"]["message"]


@pytest.fixture(scope="module")
def read_only(server: int, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A head, whose lake has its tables."""
    from tests.support.lake import new_database

    lake = Lake(tmp_path_factory.mktemp("read-only"), new_database(server), packages)
    head = lake.start("head", "head")
    eventually(lambda: http(f"http://{head.api}/api/sql", b'{"sql": "SELECT count(*) FROM span"}').status == 200)
    yield head
    head.end()
