# SPDX-License-Identifier: Apache-2.0
"""`python -m peeps_otel.run`: the program runs as it does without, and says itself when it is stuck.

Each program is run by the interpreter that the environment was made from, where nothing of ours is installed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from peeps_otel.dump import file as dump_file
from tests.support.processes import end, environment
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals are handed on by Linux's way")

BARE = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")

RING = """
import threading, time

left, right = threading.Lock(), threading.Lock()

def transfer(first, second):
    with first:
        time.sleep(0.2)
        with second:
            pass

def ring():
    threads = [threading.Thread(target=transfer, args=pair) for pair in ((left, right), (right, left))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


class Run:
    """A program under `peeps run`."""

    def __init__(self, folder: Path, program: str, *options: str, **variables: str) -> None:
        file = folder / "shop.py"
        file.write_text(program, encoding="utf-8")
        self._err = folder / "stderr"
        with self._err.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "peeps_otel.run", *options, "--", BARE, "-u", str(file)],
                env=environment(**variables),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,  # no terminal: Ctrl-\ of the person who runs the tests is theirs
            )

    def said(self, text: str) -> str:
        """Its standard error, when this is in it."""

        def read() -> str:
            found = self._err.read_text(encoding="utf-8")
            return found if text in found else ""

        return eventually(read, text)

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    started: list[Run] = []
    yield started
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)  # a program that is killed leaves its children behind
        end(one.process)


@pytest.fixture
def left_behind() -> Iterator[list[int]]:
    """Processes that the program has in a group of their own, or that outlive it."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_what_is_stuck_is_told_and_a_sigterm_ends_it_as_ever(tmp_path: Path, runs: list[Run]) -> None:
    run = Run(tmp_path, RING + "print('begins')\nring()\n")
    runs.append(run)
    first = run.said("DEADLOCK, PROVEN")
    assert "Open: " in first
    assert "with second:" in first
    run.process.send_signal(signal.SIGTERM)
    out, _ = run.process.communicate(timeout=60)
    assert (run.process.returncode, out) == (-signal.SIGTERM, "begins\n")
    assert run.err.count("--- peeps: pid ") == 2, "again, before the signal was handed on"


def test_a_program_that_is_well_runs_as_without(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 'my own sitecustomize'\n")
    program = """
import os, signal, sys
untouched = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
print(sys.stdin.read(), mine, [one for one in sys.path if "peeps_otel" in one], untouched)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"opentelemetry", "google", "requests"}))
sys.exit(3)
"""
    run = Run(tmp_path, program, PYTHONPATH=str(tmp_path))
    out, _ = run.process.communicate("to its stdin", timeout=60)
    assert (run.process.returncode, out, run.err) == (
        3,
        "to its stdin my own sitecustomize [] True\n[]\n",
        "",
    )


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_child_tells_of_itself(way: str, tmp_path: Path, runs: list[Run], left_behind: list[int]) -> None:
    program = f"""{RING}
import multiprocessing
if __name__ == "__main__":
    multiprocessing.set_start_method({way!r})
    child = multiprocessing.Process(target=ring, daemon=True)
    child.start()
    print(child.pid)
    child.join()
"""
    run = Run(tmp_path, program)
    runs.append(run)
    assert run.process.stdout is not None
    pid = run.process.stdout.readline().strip()
    left_behind.append(int(pid))
    verdict = run.said("DEADLOCK, PROVEN")
    assert f"in pid {pid}" in verdict


def test_a_program_in_which_no_python_can_run_ends_by_sigterm(tmp_path: Path, runs: list[Run]) -> None:
    program = "import ctypes\nprint('stuck')\nctypes.PyDLL(None).sleep(600)  # holds the interpreter\n"
    run = Run(tmp_path, program, "--on-exit", "0.2")
    runs.append(run)
    assert run.process.stdout is not None
    assert run.process.stdout.readline() == "stuck\n"
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(60) == -signal.SIGTERM


WAITS_IN_C = """
import os, signal, threading
signal.signal(signal.SIGUSR2, lambda *_: os.write(1, b'mine\\n'))
print(os.getpid())
threading.Lock().acquire() or threading.Event()
lock = threading.Lock()
with lock:
    lock.acquire()
"""


def test_a_signal_asks_though_the_main_thread_can_run_no_handler(tmp_path: Path, runs: list[Run]) -> None:
    dump = tmp_path / "dumps-%p.peeps"
    run = Run(tmp_path, WAITS_IN_C, "--signal", "USR1,USR2", "--dump", str(dump))
    runs.append(run)
    assert run.process.stdout is not None
    pid = int(run.process.stdout.readline())
    run.said("DEADLOCK")
    told = run.err.count("--- peeps: ")
    os.kill(pid, signal.SIGUSR1)
    text = run.said("The whole picture is in ")
    assert text.count("--- peeps: ") == told + 1
    dumped = dump_file.read(tmp_path / f"dumps-{pid}.peeps")
    assert [one.pid for one in dumped.processes] == [pid]
    os.kill(pid, signal.SIGUSR2)
    assert run.process.stdout.readline() == "mine\n"
    assert run.process.poll() is None


def test_a_command_that_there_is_not_is_told_as_shells_do() -> None:
    command = [sys.executable, "-m", "peeps_otel.run", "--", "no-such-program"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment())
    assert (result.returncode, result.stderr) == (127, "peeps run: no-such-program: No such file or directory\n")
