# SPDX-License-Identifier: Apache-2.0
"""Python 3.14: CPython compiled to WebAssembly, in Node. What needs threads and sockets is not checked there."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import wrapt

pytestmark = pytest.mark.slow

_HERE = Path(__file__).parent
_REPOSITORY = _HERE.parents[1]
_CHECKS = [
    node.name
    for node in ast.parse((_HERE / "checks.py").read_text()).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    """What went wrong in each check; empty where nothing did."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Python 3.14 runs inside Node here, and there is no node or no npm")
    if not (_HERE / "node_modules" / "pyodide").is_dir():
        install = [npm, "ci", "--no-audit", "--no-fund"]
        done = subprocess.run(install, cwd=_HERE, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode != 0:
            message = f"npm could not install Pyodide: {done.stderr[-500:]}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
    command = [node, "run.mjs", str(_REPOSITORY), str(Path(wrapt.__file__).parent)]
    done = subprocess.run(command, cwd=_HERE, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(240)
@pytest.mark.parametrize("check", _CHECKS)
def test_on_python_314(outcomes: dict[str, str], check: str) -> None:
    assert outcomes[check] == ""


def test_all_checks_ran(outcomes: dict[str, str]) -> None:
    assert sorted(outcomes) == sorted(_CHECKS)
    assert len(_CHECKS) > 10
