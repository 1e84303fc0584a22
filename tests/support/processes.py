# SPDX-License-Identifier: Apache-2.0
"""Processes that a test starts, in an environment without our settings, and ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .waiting import PATIENCE_S

BIN = Path(sys.executable).parent
"""Where the commands of the packages are."""


def environment(**variables: str) -> dict[str, str]:
    """Ours, without any setting of the person or job that runs the tests."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PEEPS_", "OTEL_"))}
    return clean | variables


def peeps(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The `peeps` command, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "peeps_collector", *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def end(process: subprocess.Popen[Any], grace_s: float = 20) -> None:
    """Asks it to end, and ends it; closes its pipes."""
    if process.poll() is None:
        process.terminate()
    try:
        process.communicate(timeout=grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
