# SPDX-License-Identifier: Apache-2.0
"""A recording, or a dump, is one file that opens elsewhere, without the programs: the verdict is there as it was."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from tests.collector.collector_support import Running
from tests.support.network import http
from tests.support.processes import end, environment, peeps
from tests.support.waiting import eventually


@contextlib.contextmanager
def opened(file: Path, ready: Path) -> Generator[Callable[[str], Any]]:
    """Asks the collector of `peeps open`."""
    words = ["-m", "peeps_collector", "open", str(file), "--no-explorer", "--ready-file", str(ready)]
    process = subprocess.Popen([sys.executable, *words], env=environment(), stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: ready.exists() or process.poll() is not None, "it is open")
        api = json.loads(ready.read_text())["api"]
        yield lambda path: http(f"http://{api}{path}").json()
    finally:
        end(process)


def test_a_recording_tells_the_verdict_without_the_program(deadlocked: Callable[[], Running], tmp_path: Path) -> None:
    running = deadlocked()
    before = running.get("/api/findings")["findings"][0]
    eventually(lambda: running.sql("SELECT count(*) FROM finding") == [[1]], "the finding is stored")
    [[at]] = running.sql("SELECT max(time_ns) FROM snapshot")
    file = tmp_path / "recording.duckdb"
    answer = http(f"http://{running.api}/api/recording")
    assert answer.status == 200
    file.write_bytes(answer.body)
    kept = file.read_bytes()
    with opened(file, tmp_path / "ready.json") as ask:
        (process,) = ask("/api/processes")["processes"]
        assert (process["service"], process["state"]) == ("shop", "gone")
        then = ask(f"/api/findings?at={at}")
        assert then["verdict"]["stuck"]
        assert [(one["id"], one["title"]) for one in then["findings"]] == [(before["id"], before["title"])]
        assert {node["label"] for node in ask(f"/api/snapshot?at={at}")["nodes"]} >= {"Lock db", "Lock cache"}
        assert ask(f"/api/finding/{before['id']}")["finding"]["title"] == before["title"]
    assert file.read_bytes() == kept


def test_a_dump_tells_the_verdict_of_its_moment(deadlocked: Callable[[], Running], tmp_path: Path) -> None:
    running = deadlocked()
    file = tmp_path / "now.peeps"
    assert peeps("dump", "--all", str(file), PEEPS_API=running.api).returncode == 1
    with opened(file, tmp_path / "ready.json") as ask:
        (moment,) = ask("/api/timeline")["changes"]
        assert moment["count"] >= 5
        (span,) = ask("/api/timeline")["findings"]
        then = ask(f"/api/findings?at={span['to_ns'] - 1}")
        assert then["verdict"]["stuck"]
        assert then["findings"][0]["title"] == span["title"]
        assert ask(f"/api/snapshot?at={span['to_ns'] - 1}")["total_nodes"] >= 5


def test_what_is_neither_is_said(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("nothing of ours")
    tried = peeps("open", str(file))
    assert (tried.returncode, tried.stdout) == (2, "")
    assert f"{file} is neither a recording nor a dump" in tried.stderr
    assert "cannot be read: No such file" in peeps("open", str(tmp_path / "none")).stderr
