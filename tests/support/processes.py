# SPDX-License-Identifier: Apache-2.0
"""Processes that a test starts, in an environment without our settings, and ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from .fork_server import CLIENT, Forked
from .waiting import PATIENCE_S

_ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
"""Where the commands of the packages are."""


def environment(**variables: str) -> dict[str, str]:
    """Ours, without any setting of the person or job that runs the tests."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PEEPS_", "OTEL_"))}
    return clean | variables


def peeps(*arguments: str, input: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """The `peeps` command, run to its end."""
    return run_peeps(arguments, variables, input)


def run_peeps(
    arguments: Sequence[str], variables: Mapping[str, str], input: str = "", forked: bool = True
) -> subprocess.CompletedProcess[str]:
    """The same. `forked`: where that can be, from a process that has imported it."""
    words = [sys.executable, "-m", "peeps_collector", *arguments]
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write(input.encode())
        stdin.seek(0)
        if forked and sys.platform == "linux":
            process = Forked(arguments, environment(**variables), stdin, stdout, stderr, CLIENT)
        else:
            process = subprocess.Popen(words, env=environment(**variables), stdin=stdin, stdout=stdout, stderr=stderr)
        try:
            code = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        written: list[str] = []
        for file in (stdout, stderr):
            file.seek(0)
            written.append(file.read().decode())
    return subprocess.CompletedProcess(words, code, *written)


def alone(story: Callable[[], None]) -> None:
    """Runs a function of a module, by its name, in a new process that has imported that module and no more: for what
    must not see what other tests have loaded and left. AssertionError with all that it wrote, where it fails."""
    words = [sys.executable, "-c", f"from {story.__module__} import {story.__name__} as story; story()"]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=2 * PATIENCE_S, cwd=_ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def end(process: subprocess.Popen[Any], grace_s: float = 20) -> None:
    """Asks it to end, and ends it; closes its pipes."""
    if process.poll() is None:
        process.terminate()
    try:
        process.communicate(timeout=grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
