# SPDX-License-Identifier: Apache-2.0
"""Several processes of one service: each appears once, under its own pid, and a call is joined to the one that has
it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import Collector
from tests.support.network import free_port
from tests.support.program import Program
from tests.support.waiting import eventually

HERE = Path(__file__).parent
Watch = Callable[..., Program]


def processes(collector: Collector) -> list[Any]:
    return [one for one in collector.get("/api/processes")["processes"] if one["state"] == "live"]


def is_child_of(pid: int, parent: int) -> bool:
    """Whether `parent` is one of its forebears."""
    while pid > 1 and pid != parent:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    return pid == parent


UVICORN = ["-m", "uvicorn", "tests.e2e.worker_app:app"]
SERVERS = {
    "gunicorn": ["-m", "gunicorn", "tests.e2e.worker_app:app", "-w", "2", "-k", "uvicorn.workers.UvicornWorker", "-b"],
    # It kills workers that have not answered its ping in 5 s, over and over: here they may need that to start.
    "uvicorn": [*UVICORN, "--workers", "2", "--timeout-worker-healthcheck", "100", "--port"],
}


@pytest.mark.skipif(not Path("/proc").exists(), reason="asks /proc whose child a process is")
@pytest.mark.parametrize("server", SERVERS)
def test_two_workers_of_a_server(collector: Collector, watch: Watch, tmp_path: Path, server: str) -> None:
    port = free_port()
    address = str(port) if server == "uvicorn" else f"127.0.0.1:{port}"
    settings = {"PEEPS_COLLECTOR_ENDPOINT": collector.otlp, "PEEPS_HEAP": "false", "PYTHONPATH": str(HERE.parents[1])}
    program = Program("books", [*SERVERS[server], address], tmp_path, **settings)
    try:
        watch(HERE / "worker_app.py", str(port))

        def joined() -> Any:
            answer = collector.get("/api/snapshot")
            nodes = {node["id"]: node for node in answer["nodes"]}
            links = {edge["src"]: edge["dst"] for edge in answer["edges"] if edge["kind"] == "rpc_link"}
            handled = {edge["src"]: edge["dst"] for edge in answer["edges"] if edge["kind"] == "handled_by"}
            calls = [one for one in nodes.values() if one["kind"] == "request" and one["name"] == "GET /hang"]
            ends = {one["id"]: (links.get(one["id"]), handled.get(links.get(one["id"], ""))) for one in calls}
            whole = len(ends) == 8 and all(response and handler for response, handler in ends.values())
            return (nodes, ends) if whole else None

        nodes, ends = eventually(joined, "eight calls, each with its response and its handler")
        assert len({response for response, _ in ends.values()}) == 8
        # The response and its handler are of one process, which is a worker.
        workers = {nodes[response]["process"] for response, _ in ends.values()}
        assert all(nodes[response]["process"] == nodes[handler]["process"] for response, handler in ends.values())
        known = processes(collector)
        assert len({one["pid"] for one in known}) == len(known)
        serving = {one["id"]: one["pid"] for one in known if one["service"] == "books" and one["id"] in workers}
        assert serving.keys() == workers
        assert all(is_child_of(pid, program.process.pid) for pid in serving.values())

        def workers_there() -> bool:  # whoever of them was given the calls
            return len([one for one in processes(collector) if one["service"] == "books" and one["tasks"]]) >= 2

        eventually(workers_there, "both workers are there")
    finally:
        program.end()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_of_multiprocessing(collector: Collector, watch: Watch, method: str) -> None:
    watch(HERE / "family.py", method)

    def all_three() -> Any:
        names = {
            node["name"]: node["process"]
            for node in collector.get(
                "/api/snapshot",
            )["nodes"]
        }
        tasks = {name: process for name, process in names.items() if name.startswith("of-")}
        return tasks if len(tasks) == 3 else None

    tasks = eventually(all_three, "a task of each of three processes")
    known = {one["id"]: one for one in processes(collector)}
    assert len(known) == 3
    assert {f"of-{one['pid']}": key for key, one in known.items()} == tasks
    assert {one["service"] for one in known.values()} == {"family"}
