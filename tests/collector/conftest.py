# SPDX-License-Identifier: Apache-2.0
"""A collector in a subprocess, on ports of its own, with a database file of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Test modules are imported one by one (--import-mode=importlib); what they share must be found by name.
sys.path.insert(0, str(Path(__file__).parent))

from collector_support import START_SECONDS, Running, environment

Start = Callable[..., Running]


def _starter(directory: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(command: str = "collector", database: Path | None = None, **variables: str) -> Running:
        database = database or directory / "peeps.duckdb"
        ready = directory / f"ready-{len(started)}.json"
        defaults = {
            "PEEPS_LISTEN": "127.0.0.1:0",
            "PEEPS_OTLP_GRPC": "off",
            "PEEPS_OTLP_HTTP": "off",
            "PEEPS_API": "127.0.0.1:0",
            "PEEPS_DB": str(database),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "peeps_collector", command, "--ready-file", str(ready)],
            env=environment(**(defaults | variables)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the collector did not get ready"
            time.sleep(0.02)
        said = json.loads(ready.read_text())
        return Running(process, said["grpc"][0], said["api"], database, said)

    try:
        yield begin
    finally:
        for process in started:
            if process.poll() is None:
                process.terminate()
                try:
                    process.communicate(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts collectors; `database` and any PEEPS_ variable may be given. What it started it stops."""
    yield from _starter(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One collector for the tests of a module that do not care what others sent."""
    starter = _starter(tmp_path_factory.mktemp("shared"))
    yield next(starter)()
    starter.close()  # type: ignore[attr-defined]


@pytest.fixture
def collector(start: Start) -> Running:
    return start()
