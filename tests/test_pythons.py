# SPDX-License-Identifier: Apache-2.0
"""`scripts/test-pythons`: which interpreters it finds, and what it says where there is none, or no time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[1] / "scripts" / "test-pythons"
_HERE = "{}.{}".format(*sys.version_info[:2])
_INTERPRETER = """\
#!/bin/sh
case "$1 $2" in
"-c "*) echo "{version}" ;;
"-m venv") /bin/mkdir -p "$3/bin" && /bin/cp "$0" "$3/bin/python" ;;
"-m pip") exit {pip} ;;
"-m pytest") {pytest} ;;
esac
"""
Make = Callable[..., str]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes what looks like an interpreter, in a place below `tmp_path`. It says what version it is; `pip` is what
    its pip exits with, `pytest` what it does in place of tests."""

    def make(place: str, version: str, pip: int = 0, pytest: str = "exit 0") -> str:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_INTERPRETER.format(version=version, pip=pip, pytest=pytest))
        path.chmod(0o755)
        return str(path)

    return make


def _run(tmp_path: Path, limit_s: float = 50, **settings: str) -> tuple[int, list[str]]:
    """With nothing on PATH but what a test made there, and with a root of pyenv of its own."""
    command = [sys.executable, str(_SCRIPT), "--folder", str(tmp_path / "venvs"), "--limit", str(limit_s)]
    environment = {"PATH": str(tmp_path / "bin"), "PYENV_ROOT": str(tmp_path / "pyenv"), "HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment | settings, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.endswith(" s")]  # what says how long it took
    return done.returncode, [line for line in lines if not line.startswith("peeps-otel-native is not built")]


def test_where_there_is_no_other_it_says_so_and_passes(tmp_path: Path, make: Make) -> None:
    make(f"bin/python{_HERE}", f"cpython {_HERE.replace('.', ' ')}")  # tested already
    make("bin/python3.18", "pypy 3 18")
    make("pyenv/versions/3.9.18/bin/python", "cpython 3 9")
    assert _run(tmp_path) == (0, ["no other CPython from 3.11 on is here"])


def test_one_of_each_version_from_path_before_those_of_pyenv(tmp_path: Path, make: Make) -> None:
    make("bin/python3.18", "cpython 3 18")
    make("pyenv/versions/3.18.0/bin/python", "cpython 3 18")
    newest = make("pyenv/versions/3.19.1/bin/python", "cpython 3 19")
    assert _run(tmp_path) == (0, ["== CPython 3.18 (python3.18)", f"== CPython 3.19 ({newest})"])


def test_named_ones_are_the_only_ones(tmp_path: Path, make: Make) -> None:
    make("bin/python3.18", "cpython 3 18")
    named = make("elsewhere/python", "cpython 3 17")
    assert _run(tmp_path, PYTHONS=named) == (0, [f"== CPython 3.17 ({named})"])


def test_one_that_cannot_be_set_up_is_named_and_passed_over(tmp_path: Path, make: Make) -> None:
    make("bin/python3.18", "cpython 3 18", pip=1)
    not_tested = "CPython 3.18: what the tests need is not to be had for it. Not tested."
    assert _run(tmp_path) == (0, ["== CPython 3.18 (python3.18)", not_tested])


def test_what_fails_twice_fails_and_the_next_is_tested_all_the_same(tmp_path: Path, make: Make) -> None:
    make("bin/python3.18", "cpython 3 18", pytest="exit 1")
    make("bin/python3.19", "cpython 3 19")
    assert _run(tmp_path) == (
        1,
        [
            "== CPython 3.18 (python3.18)",
            "== CPython 3.18: what failed, once more, alone",
            "== CPython 3.19 (python3.19)",
            "CPython 3.18: pytest ended with 1",
        ],
    )


def test_what_fails_only_beside_others_passes(tmp_path: Path, make: Make) -> None:
    make("bin/python3.18", "cpython 3 18", pytest='case "$*" in *--last-failed*) exit 0 ;; *) exit 1 ;; esac')
    assert _run(tmp_path) == (
        0,
        ["== CPython 3.18 (python3.18)", "== CPython 3.18: what failed, once more, alone"],
    )


def test_over_the_limit_is_a_failure(tmp_path: Path, make: Make) -> None:
    make("bin/python3.18", "cpython 3 18", pytest="exec /bin/sleep 50")
    assert _run(tmp_path, limit_s=0.2) == (
        1,
        [
            "== CPython 3.18 (python3.18)",
            "CPython 3.18: not done within the limit for all of them: something got slower",
        ],
    )
