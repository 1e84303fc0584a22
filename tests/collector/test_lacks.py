# SPDX-License-Identifier: Apache-2.0
"""Every answer about the graph says what it lacks."""

from __future__ import annotations

import importlib
import io
import time
from typing import Any

import pytest

from peeps_otel.model import Node, NodeKind
from tests.collector.collector_support import Program, Running, new_id
from tests.support.network import http
from tests.support.waiting import eventually

TASK = new_id(NodeKind.TASK)
PATHS = ("/api/snapshot", "/api/rows", "/api/findings", "/api/calls", "/api/node/TASK", "/api/chain/TASK")


@pytest.fixture(scope="module")
def whole(shared: Running) -> Running:
    """A collector that has missed a snapshot of its one process."""
    program, task = Program(), Node(TASK, NodeKind.TASK, "t", 1, "app.py:1", state="running")
    shared.send(program.snapshot([task], key_frame=True))
    program.sequence += 1
    shared.send(program.snapshot([]))
    eventually(lambda: shared.sql("SELECT * FROM snapshot WHERE sequence = 3"))
    return shared


@pytest.mark.parametrize("path", PATHS)
def test_now(whole: Running, path: str) -> None:
    told = whole.get(path.replace("TASK", TASK))
    assert told["not_answered"] == ["app-1"]
    [process] = told["processes"]
    assert process.pop("stale_ns") >= 0
    assert process.pop("time_ns") > 0
    assert process == {
        "id": "app-1",
        "sequence": 3,
        "interval_ns": 60_000_000_000,
        "shed": [],
        "dropped": 0,
        "missed": 1,
    }


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/api/calls"])
def test_then(whole: Running, path: str) -> None:
    late_ns = time.time_ns() + 600_000_000_000
    told = whole.get(f"{path.replace('TASK', TASK)}?at={late_ns}")
    # The verdict takes who has been silent for so long for gone.
    assert told["not_answered"] == ([] if path == "/api/findings" else ["app-1"])
    [process] = told["processes"]
    assert process["stale_ns"] > 500_000_000_000
    assert {key: process[key] for key in ("id", "sequence", "shed", "dropped")} == {
        "id": "app-1",
        "sequence": 3,
        "shed": [],
        "dropped": 0,
    }


def test_tables_and_named_questions_come_as_arrow_too(whole: Running) -> None:
    accept = {"accept": "application/vnd.apache.arrow.stream"}

    def table(path: str) -> list[dict[str, Any]]:
        answer = http(f"http://{whole.api}{path}", headers=accept)
        assert answer.headers["content-type"] == accept["accept"]
        library: Any = importlib.import_module("pyarrow")  # it has no types
        return library.ipc.open_stream(io.BytesIO(answer.body)).read_all().to_pylist()

    [row] = table("/api/rows?table=tasks&format=arrow")
    assert (row["name"], row["state"]) == ("t", "running")
    [row] = table("/api/query/cost-of-looking?process=app-1")
    assert (row["process"], row["snapshots"]) == ("app-1", 2)
