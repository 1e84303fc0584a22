# SPDX-License-Identifier: Apache-2.0
"""Random programs run to their end while the engine looks: nobody who was proven stuck ever goes on.

Repeat a run with PEEPS_REFUTATION_SEED; `python -m tests.refutation` runs more, and shows and shrinks single ones.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.refutation.generator import program
from tests.refutation.house import packed

ROOT = Path(__file__).parents[2]
PROGRAMS = 1200
CONTROL = 40


def _run(*arguments: str) -> tuple[int, list[str]]:
    """In a process without other threads, as it forks."""
    command = [sys.executable, "-m", "tests.refutation", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.slow
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
    # And they are what they were meant to be: few end by an error of their own.
    assert sum(told["errors"].values()) <= PROGRAMS // 20, told["errors"]
    # The programs do get stuck, and the engine does say so: silence would never be refuted.
    assert sum(count for name, count in said.items() if name.startswith("PROVEN")) >= PROGRAMS // 20


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_engine_that_takes_every_wait_for_a_deadlock_is_refuted_by_the_programs_that_go_on_together_and_alone() -> (
    None
):
    status, lines = _run("--programs", str(CONTROL), "--seed", "7", "--credulous")
    assert status == 1, lines
    named = {int(seed) for line in lines for seed in re.findall(r'^seed (\d+): .*"level": "PROVEN"', line)}
    assert named <= set(range(7, 7 + CONTROL))
    assert len(named) >= CONTROL // 4, named
    status, lines = _run("--seeds", str(min(named)), "--credulous")
    assert status == 1, lines
    assert any(line.startswith(f"seed {min(named)}: ") for line in lines), lines


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_run_goes_on_from_the_sums_that_it_has_kept(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    command = ["--programs", "10", "--seed", "5", "--results", str(kept), "--json"]
    status, lines = _run(*command)
    assert status == 0, lines
    first = json.loads(kept.read_text(encoding="utf-8"))
    assert first["done"] == 10
    kept.write_text(json.dumps(first | {"tally": first["tally"] | {"looks": 77}}), encoding="utf-8")
    _, lines = _run(*command)
    assert json.loads(lines[-1])["looks"] == 77
    status, lines = _run("--programs", "10", "--seed", "6", "--results", str(kept))
    assert status != 0
    assert "another run" in lines[-1]


def test_a_pack_has_one_program_at_most_that_has_to_run_on_the_main_thread_and_none_is_lost() -> None:
    programs = [program(seed) for seed in range(200)]
    packs = list(packed(programs, 20))
    assert max(sum(one.leads for one in pack) for pack in packs) == 1
    assert sorted(one.seed for pack in packs for one in pack) == list(range(200))
    assert max(map(len, packs)) == 20
