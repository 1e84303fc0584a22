# SPDX-License-Identifier: Apache-2.0
"""Counts instructions instead of time: exact on a machine that other programs use too. Needs valgrind.

An operation's instructions are the difference of two runs of different length, divided by the difference in length. No
watcher thread runs: it would make no two runs alike. What is counted is what the rewritten functions add.
"""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from .instruction_worker import BEYOND, OFF, WITHIN
from .modes import ROOT
from .operations import OPERATIONS
from .processes import Failed

_SHORT, _LONG = 400, 1200
_MODES = (OFF, BEYOND, WITHIN)


def count(python: Path, folder: Path) -> str:
    """Writes and returns the Markdown table of one version of Python."""
    jobs = [(name, mode, length) for name in OPERATIONS for mode in _MODES for length in (_SHORT, _LONG)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        totals = dict(zip(jobs, pool.map(partial(_total, python), jobs), strict=True))
    version = subprocess.check_output([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], text=True)
    rows = [
        "| operation: instructions, Python " + version.strip() + " | without us | with us | each recorded in detail |",
        "|---|--:|--:|--:|",
    ]
    for name, operation in OPERATIONS.items():
        off, beyond, within = (
            (totals[name, mode, _LONG] - totals[name, mode, _SHORT]) / (_LONG - _SHORT) for mode in _MODES
        )
        rows.append(f"| {operation.title} | {off:,.0f} | {beyond / off:.3f} | {within / off:.3f} |")
    text = "\n".join(rows) + "\n"
    (folder / f"instructions-{version.strip()}.md").write_text(text)
    return text


def _total(python: Path, job: tuple[str, str, int]) -> int:
    name, mode, length = job
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(python)]
    command += ["-m", "bench.instruction_worker", mode, name, str(length)]
    environment = os.environ | {"PYTHONHASHSEED": "0", "PEEPS_ENABLED": "false"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None:
        raise Failed(f"valgrind: {name}: {done.stderr[-300:]}")
    return int(found[1])
