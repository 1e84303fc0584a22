# SPDX-License-Identifier: Apache-2.0
"""The standard library's own tests come to the same with us as without us. `scripts/cpython-tests` runs all of them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).resolve().parents[2]
_SCRIPT = _ROOT / "scripts" / "cpython-tests"


def _compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(_SCRIPT), "--timeout", "200", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=440, check=False)


@pytest.mark.timeout(450)
@pytest.mark.parametrize(
    "module",
    [
        *("asyncio.test_locks", "asyncio.test_queues", "asyncio.test_tasks"),
        *("asyncio.test_taskgroups", "asyncio.test_timeouts"),
        *("coroutines", "asyncgen", "frame", "_xxsubinterpreters"),
    ],
)
def test_the_standard_library_s_own_tests(module: str) -> None:
    name = f"test.test_{module}"
    if importlib.util.find_spec("test") is None or importlib.util.find_spec(name) is None:
        pytest.skip(f"this Python has no {name}")
    done = _compare(name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout, done.stdout
    assert done.stdout.rstrip().endswith(" 0 differences"), done.stdout


def test_a_difference_is_found(tmp_path: Path) -> None:
    """The comparison itself: a suite that fails only while it is watched."""
    (tmp_path / "test_it.py").write_text(
        "import asyncio\n"
        "def test_always():\n    pass\n"
        "def test_fails_always():\n    assert False\n"
        "def test_not_watched():\n    assert '_peeps' not in asyncio.Lock.acquire.__code__.co_names\n"
    )
    done = _compare("--pytest", str(tmp_path), "-o", "addopts=", "--repeat", "1")
    assert done.returncode == 1
    differences = [line.strip() for line in done.stdout.splitlines() if " without us, " in line]
    assert differences == ["test_it.py::test_not_watched: passed without us, failed with us"], done.stdout
    assert done.stdout.rstrip().endswith("3 tests, 1 differences")
