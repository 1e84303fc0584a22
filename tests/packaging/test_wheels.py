# SPDX-License-Identifier: Apache-2.0
"""Each wheel works where only it and what it requires is installed. Needs a package index."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peeps_collector.cli import main

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "peeps-otel": "",
    "peeps-otel-distro": "distro",
    "peeps-collector": "collector",
    "peeps-dashboard": "dashboard",
}
PACKAGES = {
    "peeps-otel": "peeps_otel",
    "peeps-otel-distro": "peeps_otel_distro",
    "peeps-collector": "peeps_collector",
    "peeps-dashboard": "peeps_dashboard",
}
COMMANDS = {
    "peeps-collector": [["peeps", "--help"]] + [["peeps", command.NAME, "--help"] for command in main.COMMANDS],
    "peeps-dashboard": [["peeps-dashboard", "--help"]],
}
HEAVY = {"duckdb", "streamlit", "pyarrow", "numpy", "grpcio", "uvicorn", "uvloop"}
GRPC = "peeps_otel.export.otlp_grpc"
PLUGIN = "peeps_otel.pytest_plugin"  # where pytest is
MCP, TOP = "peeps_collector.mcp_server.server", "peeps_collector.top.screen"
COLUMNS = "peeps_collector.decode.columns"
LAKE = "peeps_collector.lake"
NEED_AN_EXTRA = {
    "peeps-otel": {GRPC, PLUGIN},
    "peeps-collector": {f"{COLUMNS}.{module}" for module in ("compiler", "walk", "text", "spans")}
    | {
        f"{LAKE}.{module}"
        for module in ("head", "lead", "members", "presence", "shard", "shipper", "shipping", "upkeep")
    }
    | {MCP, TOP, "peeps_collector.cli.lead"},
}

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module({package!r})
for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not found.name.endswith("__main__") and found.name not in {without!r}:
        importlib.import_module(found.name)
"""

pytestmark = [pytest.mark.slow, pytest.mark.packaging, pytest.mark.timeout(600)]
Install = Callable[[str], Path]


def run(*command: str | Path, **options: Any) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=240, **options)
    assert result.returncode == 0, f"{' '.join(map(str, command))}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the five wheels."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in FOLDERS.values():
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT / project)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT / "native")
    return folder


@pytest.fixture
def install(wheels: Path, tmp_path: Path) -> Install:
    """Makes an environment with one of the wheels (`name` or `name[extra]`); gives its folder of programs."""

    def begin(what: str) -> Path:
        name, bracket, extra = what.partition("[")
        (wheel,) = wheels.glob(f"{name.replace('-', '_')}-*.whl")
        home = tmp_path / "environment"
        programs = home / ("Scripts" if sys.platform == "win32" else "bin")
        uv = shutil.which("uv")
        wanted = f"{wheel}{bracket}{extra}"
        if uv is not None:
            run(uv, "venv", "--quiet", "--python", sys.executable, home)
            run(uv, "pip", "install", "--quiet", "--python", programs / "python", "--find-links", wheels, wanted)
        else:
            # Neither a pip of its own nor bytecode of all that is installed: little of it is ever imported here.
            run(sys.executable, "-m", "venv", "--without-pip", home)
            pip = (sys.executable, "-m", "pip", "--python", programs / "python")
            run(*pip, "install", "--quiet", "--no-compile", "--find-links", wheels, wanted)
        return programs

    return begin


def installed(programs: Path) -> set[str]:
    listed = "import json, importlib.metadata as m; print(json.dumps([d.name for d in m.distributions()]))"
    return {name.lower().replace("_", "-") for name in json.loads(run(programs / "python", "-I", "-c", listed))}


@pytest.mark.parametrize("wheel", FOLDERS)
def test_a_wheel_alone(wheel: str, install: Install, tmp_path: Path) -> None:
    programs = install(wheel)
    code = IMPORT_ALL.format(package=PACKAGES[wheel], without=NEED_AN_EXTRA.get(wheel, set[str]()))
    run(programs / "python", "-I", "-c", code, cwd=tmp_path)
    for command, *arguments in COMMANDS.get(wheel, []):
        assert "usage:" in run(programs / command, *arguments, cwd=tmp_path)
    if wheel in {"peeps-otel", "peeps-otel-distro"}:
        assert HEAVY & installed(programs) == set()


def test_the_extra_for_grpc(install: Install, tmp_path: Path) -> None:
    programs = install("peeps-otel[grpc]")
    run(programs / "python", "-I", "-c", IMPORT_ALL.format(package="peeps_otel", without={PLUGIN}), cwd=tmp_path)
    assert "grpcio" in installed(programs)


def test_the_extra_in_c(install: Install, tmp_path: Path) -> None:
    programs = install("peeps-otel[native]")
    code = "from peeps_otel.probes.heap import native_reader as r; assert r.reader()([], None).unexplained() == []"
    run(programs / "python", "-I", "-c", code, cwd=tmp_path)


def test_the_part_in_c_alone(install: Install, tmp_path: Path) -> None:
    programs = install("peeps-otel-native")
    run(programs / "python", "-I", "-c", "import peeps_otel_native", cwd=tmp_path)
    assert {name for name in installed(programs) if name.startswith("peeps")} == {"peeps-otel-native"}


def test_the_extras_for_agents_and_for_the_terminal(install: Install, tmp_path: Path) -> None:
    programs = install("peeps-collector[mcp,top]")
    run(programs / "python", "-I", "-c", f"import {MCP}, {TOP}", cwd=tmp_path)


def test_the_extra_for_columns(install: Install, tmp_path: Path) -> None:
    programs = install("peeps-collector[fast]")
    run(programs / "python", "-I", "-c", IMPORT_ALL.format(package=COLUMNS, without={PLUGIN}), cwd=tmp_path)


def test_the_extra_for_several_collectors(install: Install, tmp_path: Path) -> None:
    programs = install("peeps-collector[lake]")
    run(programs / "python", "-I", "-c", IMPORT_ALL.format(package=LAKE, without={PLUGIN}), cwd=tmp_path)
    code = (
        "import duckdb; from peeps_collector.lake.connection import extension_file\n"
        "for name in ('postgres_scanner', 'ducklake', 'httpfs'): duckdb.execute(f\"LOAD '{extension_file(name)}'\")"
    )
    run(programs / "python", "-I", "-c", code, cwd=tmp_path)
