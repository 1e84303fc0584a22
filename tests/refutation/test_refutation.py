# SPDX-License-Identifier: Apache-2.0
"""Random programs run to their end while the engine looks: nobody who was proven stuck ever goes on.

Repeat a run with PEEPS_REFUTATION_SEED; `python -m tests.refutation` runs more, and shows and shrinks single ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAMS = 400
CONTROL = 45


def _run(*arguments: str) -> tuple[int, list[str]]:
    """In a process without other threads, as it forks."""
    command = [sys.executable, "-m", "tests.refutation", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.timeout(600)
def test_nobody_who_was_proven_stuck_goes_on() -> None:
    seed = int(os.environ.get("PEEPS_REFUTATION_SEED", "1822748059"))
    status, lines = _run("--programs", str(PROGRAMS), "--seed", str(seed), "--json")
    assert status == 0, f"seed {seed}: {lines}"
    told = json.loads(lines[-1])
    said = told.pop("said")
    assert {name: told[name] for name in ("refuted_proven", "failed", "hung")} == {
        "refuted_proven": [],
        "failed": [],
        "hung": [],
    }, f"PEEPS_REFUTATION_SEED={seed}"
    assert told["programs"] >= PROGRAMS
    # The programs do get stuck, and the engine does say so: silence would never be refuted.
    assert sum(count for name, count in said.items() if name.startswith("PROVEN")) >= PROGRAMS // 20


@pytest.mark.timeout(300)
def test_an_engine_that_takes_every_wait_for_a_deadlock_is_refuted() -> None:
    status, lines = _run("--programs", str(CONTROL), "--seed", "7", "--credulous")
    assert status == 1, lines
    assert any('"level": "PROVEN"' in line for line in lines), lines
