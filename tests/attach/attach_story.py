# SPDX-License-Identifier: Apache-2.0
"""Programs that have nothing of ours, and what can be seen of them from outside."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from peeps_otel.attach.interpreter_layout import KNOWN
from tests.support.processes import end, environment
from tests.support.waiting import eventually

CAN_ATTACH = pytest.mark.skipif(
    sys.platform != "linux"
    or platform.machine() != "x86_64"
    or platform.libc_ver()[0] != "glibc"
    or sys.version_info[:2] not in KNOWN,
    reason="attaching is for CPython 3.11 to 3.15 on x86-64 and glibc",
)


@contextmanager
def running(
    folder: Path, program: str, *, name: str = "shop.py", python: str = sys.executable
) -> Generator[subprocess.Popen[str]]:
    """The program, once it has printed a line."""
    file = folder / name
    file.write_text(program, encoding="utf-8")
    process = subprocess.Popen(
        [python, "-I", str(file)], env=environment(), cwd=folder, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "the program has ended"
        yield process
    finally:
        end(process)


def attach(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "peeps_otel.attach", *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=180,
    )


def traces(pid: int) -> dict[str, object]:
    """What an attach might leave behind in a process, and beside it."""
    folder = Path(f"/proc/{pid}")
    return {
        "threads": sorted(os.listdir(folder / "task")),
        "descriptors": sorted(os.listdir(folder / "fd")),
        "mapped": sorted(
            {line.split(None, 5)[5].strip() for line in (folder / "maps").read_text().splitlines() if "/" in line}
        ),
        "environment": (folder / "environ").read_bytes(),
        "children": [(task / "children").read_text() for task in sorted((folder / "task").iterdir())],
        "mask": [
            line
            for line in (folder / "status").read_text().splitlines()
            if line.startswith(("SigB", "SigI", "SigC", "SigP", "Shd", "Tracer"))
        ],
        "temporary": sorted(name for name in os.listdir("/tmp") if name.startswith("peeps-attach-")),
    }


def copies(pid: int) -> list[int]:
    """Living processes that were made from a process: they have its command line and are none of its children."""
    own = Path(f"/proc/{pid}/cmdline").read_bytes()
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != pid:
            try:
                if (folder / "cmdline").read_bytes() == own:
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def no_copy_lives(pid: int) -> None:
    eventually(lambda: not copies(pid), f"copies of {pid} to be gone")
