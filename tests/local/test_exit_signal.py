# SPDX-License-Identifier: Apache-2.0
"""PEEPS_DUMP_ON_EXIT under `opentelemetry-instrument` alone: a SIGTERM has the verdict written and ends the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import instrumentations
from tests.support.processes import BIN, end, environment
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="on Linux alone")

_EXPORTS_NOTHING = {f"OTEL_{signals}_EXPORTER": "none" for signals in ("TRACES", "METRICS", "LOGS")}
_IN_ITS_COMMAND = b"exit_guard"

STUCK = """
import threading
lock = threading.Lock()
with lock:
    print("begins", flush=True)
    with lock:
        pass
"""

IN_C = """
import itertools
print("begins", flush=True)
sum(itertools.repeat(0))  # keeps the interpreter, for ever
"""

HANDLES = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("begins", flush=True)
time.sleep(600)
"""

PARENT = """
import multiprocessing, os, sys, time
multiprocessing.set_start_method("fork")
codes = []
print("begins", flush=True)
for delay in (0, 0, 0, 0.001, 0.01, 0.5):
    child = multiprocessing.Process(target=time.sleep, args=(600,))
    child.start()
    time.sleep(delay)
    child.terminate()
    child.join(60)
    codes.append(child.exitcode)
print(codes, flush=True)
"""


def _environment(program: Path, dump_on_exit: str) -> dict[str, str]:
    return environment(PEEPS_DUMP_ON_EXIT=dump_on_exit, **_EXPORTS_NOTHING, **instrumentations.settings(program))


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program, and waits until it has begun and is watched."""
    started: list[subprocess.Popen[str]] = []

    def begin(program: str, seconds: float) -> subprocess.Popen[str]:
        file = tmp_path / "shop.py"
        file.write_text(program, encoding="utf-8")
        process = subprocess.Popen(
            [BIN / "opentelemetry-instrument", sys.executable, str(file)],
            env=_environment(file, str(seconds)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        return process

    yield begin
    for one in started:
        end(one)


def guards(pid: int) -> list[int]:
    """The processes that would end it."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(pid).encode() in words and any(_IN_ITS_COMMAND in word for word in words):
                found.append(int(folder.name))
    return found


def test_a_sigterm_has_the_verdict_written_and_ends_the_program(start: Start) -> None:
    program = start(STUCK, 20)
    assert len(guards(program.pid)) == 1
    program.send_signal(signal.SIGTERM)
    _, said = program.communicate(timeout=60)
    assert program.returncode == -signal.SIGTERM
    assert said.count(f"--- peeps: pid {program.pid}, ") == 1
    assert "MainThread waits for Lock lock" in said
    eventually(lambda: not guards(program.pid), "the process beside it to end")


def test_a_program_in_which_no_python_can_run_is_ended_from_outside(start: Start) -> None:
    program = start(IN_C, 0.5)
    program.send_signal(signal.SIGTERM)
    assert program.wait(60) == -signal.SIGKILL
    eventually(lambda: not guards(program.pid), "the process beside it to end")


def test_a_program_that_handles_it_itself_is_left_alone(start: Start) -> None:
    program = start(HANDLES, 20)
    program.send_signal(signal.SIGTERM)
    _, said = program.communicate(timeout=60)
    assert (program.returncode, "--- peeps" in said) == (7, False)


def test_a_forked_child_ends_by_it_at_every_moment(start: Start) -> None:
    """Also before it is watched; and its parent goes on."""
    program = start(PARENT, 20)
    out, said = program.communicate(timeout=120)
    assert (program.returncode, out) == (0, f"{[-signal.SIGTERM] * 6}\n"), said
    assert f"--- peeps: pid {program.pid}" not in said
    eventually(lambda: not guards(program.pid), "the process beside it to end")
    assert not Path(f"/proc/{program.pid}").exists()


def test_the_number_of_seconds_must_be_one(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text("print('works')")
    result = subprocess.run(
        [BIN / "opentelemetry-instrument", sys.executable, str(file)],
        env=_environment(file, "soon"),
        cwd=os.fspath(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "PEEPS_DUMP_ON_EXIT='soon' must be a number from 0 to 3600; '0' is used" in result.stderr
