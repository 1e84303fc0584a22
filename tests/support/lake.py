# SPDX-License-Identifier: Apache-2.0
"""Collectors with a lake: real PostgreSQL, and the version of DuckDB that has extensions as wheels.

That version stands in a folder of its own, before the one that everything else is tested with.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from .collector import Collector
from .processes import environment

ROOT = Path(__file__).parents[2]


def install(folder: Path) -> None:
    """The packages of the extra, without what they require: that is here."""
    extra = tomllib.loads((ROOT / "collector/pyproject.toml").read_text())["project"]["optional-dependencies"]["lake"]
    wanted = [one for one in extra if not one.startswith("psycopg")]
    uv = shutil.which("uv")
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--target", str(folder), *wanted], check=True, timeout=300)


@dataclass
class Lake:
    """One database and one folder, and the collectors that a test starts on them. `packages`: see `install`."""

    directory: Path
    catalog: str
    packages: Path
    data: str = ""
    variables: dict[str, str] = field(default_factory=dict[str, str])
    started: list[Collector] = field(default_factory=list[Collector])

    def settings(self) -> dict[str, str]:
        data = self.data or str(self.directory / "lake")
        python = {"PYTHONPATH": f"{self.packages}:{ROOT}/collector:{ROOT}"}
        return {"PEEPS_LAKE": self.catalog, "PEEPS_LAKE_DATA": data} | python | self.variables

    def start(self, name: str, command: str = "collector", **settings: str) -> Collector:
        """A collector with a file of its own. The same name later: the same file."""
        folder = self.directory / name
        folder.mkdir(exist_ok=True)
        self.started.append(Collector(folder, command, None, None, **(self.settings() | settings)))
        return self.started[-1]

    def sql(self, statement: str) -> list[list[Any]]:
        """What the lake itself says, asked by a process that no collector knows."""
        program = (
            "import json, sys\n"
            "from peeps_collector.lake.connection import connect\n"
            "from peeps_collector.lake.settings import LakeSettings\n"
            "lake = connect(LakeSettings(sys.argv[1], sys.argv[2]), read_only=True)\n"
            "print(json.dumps(lake.execute(sys.argv[3]).fetchall()))"
        )
        given = self.settings()
        words = [sys.executable, "-c", program, given["PEEPS_LAKE"], given["PEEPS_LAKE_DATA"], statement]
        variables = {name: value for name, value in given.items() if not name.startswith("PEEPS_")}
        done = subprocess.run(words, env=environment(**variables), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def new_database(port: int) -> str:
    """Its URL."""
    name = f"lake_{time.time_ns()}"
    with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"postgresql://postgres@127.0.0.1:{port}/{name}"
