# SPDX-License-Identifier: Apache-2.0
"""The commands are clients of the collector: what they load, what that takes, and how one is added."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import peeps_collector.cli
from peeps_collector.cli.main import COMMANDS
from tests.collector.collector_support import Running
from tests.support.processes import environment

SERVERS = {"up", "collector", "mcp", "top", "open"}
OF_A_FILE = {"db", "diff"}
OF_THE_CORE = {"attach", "run"}
CLIENTS = [command.NAME for command in COMMANDS if command.NAME not in SERVERS | OF_A_FILE | OF_THE_CORE]
ARGUMENTS = {
    "progress": ["0"],
    "sql": ["SELECT 1"],
    "show": ["worker-a"],
    "completion": ["bash"],
    "dump": ["--all", os.devnull],
}

# What of ours a command may load. `serve` is the way to the server; the model, the diagnosis and the words are shared.
OURS = {"peeps_collector", *(f"peeps_collector.{name}" for name in ("access", "config", "settings_file", "version"))}
COMMAND_LINE = "peeps_collector.cli"
SHARED = (
    *("peeps_otel.model", "peeps_otel.diagnosis", "peeps_otel.report", "peeps_otel.dump"),
    *("peeps_otel.semconv", "peeps_otel.version", "peeps_otel.attach"),
)

LOADED = """
import json, os, pathlib, sys
status = pathlib.Path("/proc/self/status")
for name, what in json.loads(sys.argv[1]).items():
    if os.fork():
        os.wait()
        continue
    bare = set(sys.modules)
    exec(what)
    lines = status.read_text().splitlines() if status.exists() else []
    resident = next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), None)
    loaded = sorted(set(sys.modules) - bare)
    print("\\n" + json.dumps([name, {"modules": loaded, "resident_kib": resident}]), flush=True)
    os._exit(0)
"""


def after(whats: dict[str, str], **variables: str) -> Any:
    """What each of `whats` has loaded in an interpreter that had loaded nothing, and what that held then; by its name.
    The interpreters are forks of one."""
    result = subprocess.run(
        [sys.executable, "-c", LOADED, json.dumps(whats)],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(json.loads(line) for line in result.stdout.splitlines() if line.startswith('["'))


def foreign(modules: list[str]) -> set[str]:
    """The packages among `modules` that are neither of the standard library nor ours."""
    roots = {name.partition(".")[0] for name in modules} - {"peeps_collector", "peeps_otel"}
    # `_sysconfigdata__linux_…`: the standard library's own, with the platform in its name.
    return {root for root in roots - sys.stdlib_module_names if not root.startswith("_sysconfigdata_")}


def of_the_server(modules: list[str]) -> set[str]:
    return {
        name
        for name in modules
        if name.partition(".")[0] in {"peeps_collector", "peeps_otel"}
        and name not in OURS
        and name != "peeps_otel"
        and (not f"{name}.".startswith(f"{COMMAND_LINE}.") or name == f"{COMMAND_LINE}.serve")
        and not name.startswith(SHARED)
    }


IMPORTS = {command.NAME: f"import peeps_collector.cli.{command.NAME}" for command in COMMANDS}


@pytest.fixture(scope="module")
def imported() -> Any:
    return after(
        IMPORTS | {"serve": "import peeps_collector.cli.serve", "main": "import peeps_collector.cli.main", "": ""}
    )


@pytest.mark.parametrize("command", IMPORTS)
def test_the_import_of_a_command_loads_no_server(command: str, imported: Any) -> None:
    modules = imported[command]["modules"]
    assert f"peeps_collector.cli.{command}" in modules
    assert (foreign(modules), of_the_server(modules)) == (set(), set())


def test_the_server_would_be_seen(imported: Any) -> None:
    modules = imported["serve"]["modules"]
    assert foreign(modules) >= {"numpy", "google", "grpc", "starlette", "duckdb"}
    assert of_the_server(modules) >= {"peeps_collector.cli.serve", "peeps_collector.graph.live"}


@pytest.fixture(scope="module")
def run(deadlocked: Callable[[], Running]) -> Any:
    words = {command: [command, *ARGUMENTS.get(command, [])] for command in CLIENTS}
    runs = {name: f"from peeps_collector.cli.main import main\nmain({one!r})" for name, one in words.items()}
    return after(runs, PEEPS_API=deadlocked().api)


@pytest.mark.parametrize("command", CLIENTS)
def test_a_command_that_has_run_has_loaded_no_server(command: str, run: Any) -> None:
    modules = run[command]["modules"]
    assert "peeps_otel.report.style" in modules
    assert (foreign(modules), of_the_server(modules)) == (set(), set())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_a_command_takes_little_more_than_the_interpreter(imported: Any) -> None:
    taken_kib = imported["main"]["resident_kib"] - imported[""]["resident_kib"]
    assert taken_kib / 1024 < 20, "the server alone adds 30 MB"


def test_every_module_that_is_a_command_is_registered() -> None:
    modules = [
        importlib.import_module(f"{COMMAND_LINE}.{m.name}") for m in pkgutil.iter_modules(peeps_collector.cli.__path__)
    ]
    named = {module.__name__.rpartition(".")[2] for module in modules if hasattr(module, "NAME")}
    assert named == {command.NAME for command in COMMANDS}, "a command's module has its name"
