# SPDX-License-Identifier: Apache-2.0
"""Looking needs the standard library alone: it is to work in processes that have nothing else.

Only the wire format needs protobuf; it belongs to those who send and receive.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WIRE = {"peeps_otel.model.wire", "peeps_otel.model.wire_decoder", "peeps_otel.model.snapshot_pb2"}

PROGRAM = """
import importlib, json, pkgutil, sys
sys.path.insert(0, {root!r})
for package in ("peeps_otel.model", "peeps_otel.diagnosis", "peeps_otel.probes"):
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if found.name not in {wire!r}:
            importlib.import_module(found.name)
print(json.dumps(sorted(sys.modules)))
"""


def loaded(*options: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, *options, "-c", PROGRAM.format(root=str(ROOT), wire=WIRE)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(result.stdout)


def test_every_module_imports_where_nothing_is_installed() -> None:
    modules = loaded("-I", "-S")
    assert {"peeps_otel.probes.threads.probe", "peeps_otel.diagnosis.diagnoser"} <= set(modules)
    above = ("peeps_otel.export", "peeps_otel.watcher", "peeps_otel.watchdog", "peeps_otel.agent")
    assert [name for name in modules if name.startswith(above)] == []


def test_nor_is_anything_loaded_that_is_installed() -> None:
    modules = loaded("-I")
    foreign = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"__main__", "peeps_otel"}
    # The first is the standard library's (`_sysconfigdata__linux_…`); the environment loads the others at its start.
    at_home = ("_sysconfigdata_", "__editable__", "_distutils_hack")
    assert {name for name in foreign if not name.startswith(at_home)} == set()
