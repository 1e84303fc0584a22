# SPDX-License-Identifier: Apache-2.0
"""The verdict of a process that has nothing of ours: what it says, and that the process is as it was."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from peeps_otel.dump import file
from tests.attach.attach_story import CAN_ATTACH, attach, no_copy_lives, running, traces
from tests.support.processes import end, environment

pytestmark = [CAN_ATTACH, pytest.mark.slow]

TASKS = """
import asyncio

async def transfer(first, second):
    async with first:
        await asyncio.sleep(0.05)
        async with second:
            pass

async def main():
    left, right = asyncio.Lock(), asyncio.Lock()
    both = asyncio.gather(transfer(left, right), transfer(right, left))
    await asyncio.sleep(0.3)
    print("stuck", flush=True)
    await both

asyncio.run(main())
"""

THREADS = """
import signal, sys, threading, time

left, right = threading.Lock(), threading.Lock()
both = threading.Barrier(3)

def transfer(first, second):
    with first:
        both.wait()
        with second:
            pass

signal.signal(signal.SIGUSR1, lambda *_: (print(sorted(sys.modules), len(threading.enumerate()), flush=True)))
signal.signal(signal.SIGCHLD, lambda *_: print("a child has ended", flush=True))
print(sorted(sys.modules), 3, flush=True)
threading.Thread(target=transfer, args=(left, right), daemon=True).start()
threading.Thread(target=transfer, args=(right, left), daemon=True).start()
both.wait()
while True:
    time.sleep(60)
"""

CALM = """
import asyncio

async def worker(lock):
    while True:
        async with lock:
            await asyncio.sleep(0.02)

async def main():
    lock = asyncio.Lock()
    workers = [asyncio.create_task(worker(lock)) for _ in range(5)]
    print("works", flush=True)
    await asyncio.gather(*workers)

asyncio.run(main())
"""

NOT_WOKEN = """
import asyncio, threading, time

def worker(done):
    time.sleep(0.2)
    done.set()
    print("set", flush=True)

async def main():
    done = asyncio.Event()
    threading.Thread(target=worker, args=(done,)).start()
    await done.wait()

asyncio.run(main())
"""

ASLEEP = """
import os, subprocess, sys

reading, writing = os.pipe()
print("waits", flush=True)
if "writes" in __file__:
    subprocess.Popen(["sleep", "60"], stdin=reading)
    os.write(writing, bytes(1 << 20))
os.read(reading, 1)
"""

FORKED = TASKS.replace(
    """    print("stuck", flush=True)
    await both
""",
    """    child = os.fork()
    if child == 0:
        while True:
            time.sleep(600)
    both.cancel()
    await asyncio.gather(both, return_exceptions=True)
    print(child, flush=True)
    await asyncio.sleep(600)
""",
).replace("import asyncio", "import asyncio, os, time")


SHARED = """
import multiprocessing, os, time

def report(lock):
    with lock:
        pass

context = multiprocessing.get_context("fork")
lock = context.Lock()
with lock:
    if "bare" in __file__:
        child = os.fork()
        if child == 0:
            report(lock)
            os._exit(0)
    else:
        process = context.Process(target=report, args=(lock,))
        process.start()
        child = process.pid
    print(child, flush=True)
    time.sleep(600)
"""


def test_two_tasks_that_wait_for_each_other(tmp_path: Path) -> None:
    with running(tmp_path, TASKS) as program:
        before = traces(program.pid)
        said = attach(program.pid)
        assert (said.returncode, said.stderr) == (1, ""), said.stdout
        first, second = said.stdout.splitlines()[:2]
        assert re.fullmatch(
            r"DEADLOCK, PROVEN, \d+ s: transfer \(Task-\d\) waits for Lock \w+, held by transfer .*", first
        )
        assert second == f"in shop.py (pid {program.pid})"
        assert "->    7 |     async with second:" in said.stdout
        assert traces(program.pid) == before
        no_copy_lives(program.pid)
        assert program.poll() is None


@pytest.mark.parametrize("version", ["3.14", "3.15"])
def test_a_python_of_another_version_is_asked_as_well(version: str, tmp_path: Path) -> None:
    """One that tells itself where it keeps its threads, and which the tool need not be able to run."""
    python = shutil.which(f"python{version}")
    if python is None or sys.version_info[:2] == tuple(map(int, version.split("."))):
        pytest.skip(f"no other CPython {version} here")
    with running(tmp_path, TASKS, python=python) as program:
        before = traces(program.pid)
        said = attach(program.pid)
        assert (said.returncode, said.stderr) == (1, "")
        assert said.stdout.startswith("DEADLOCK, PROVEN, ")
        assert "->    7 |     async with second:" in said.stdout
        assert traces(program.pid) == before
        no_copy_lives(program.pid)
        assert program.poll() is None


def test_two_threads_that_wait_for_each_other(tmp_path: Path) -> None:
    """And the program, which would tell, has heard of no child, has the modules it had, and no thread more."""
    with running(tmp_path, THREADS) as program:
        said = attach(program.pid, "--json")
        answer = json.loads(said.stdout)
        assert said.returncode == 1
        assert [(one["kind"], one["level"]) for one in answer["findings"]] == [("deadlock", "PROVEN")]
        assert {node["name"] for node in answer["findings"][0]["nodes"].values()} >= {"first", "second"}
        no_copy_lives(program.pid)
        program.send_signal(signal.SIGUSR1)
        assert program.stdout is not None
        assert re.search(r"'threading'.* 3$", program.stdout.readline().strip())


def test_a_program_that_works_is_not_called_stuck(tmp_path: Path) -> None:
    with running(tmp_path, CALM) as program:
        said = attach(program.pid, "--wait", 2, "--waits", "--dump", tmp_path / "calm.peeps")
        assert (said.returncode, said.stderr) == (0, "")
        assert said.stdout.startswith("Nothing is stuck")
        dump = file.read(tmp_path / "calm.peeps")
        assert [one.pid for one in dump.processes] == [program.pid]
        assert len([node for node in dump.nodes.values() if node.kind.value == "task"]) == 6


def test_of_a_thread_that_has_not_moved_it_is_not_said_that_nothing_is_stuck(tmp_path: Path) -> None:
    with running(tmp_path, ASLEEP) as program:
        said = attach(program.pid, "--wait", 2)
        assert (said.returncode, said.stderr) == (2, "")
        assert re.match(
            rf"Cannot judge: shop.py \(pid {program.pid}\): in the \d+ s of watching these were at one place, and what "
            r"will end that is not in sight: MainThread waits for a pipe \(fd \d\) at .*shop.py:9\.",
            said.stdout,
        ), said.stdout


def test_of_a_task_that_could_go_on_while_its_loop_sleeps_it_is_not_said_that_nothing_is_stuck(tmp_path: Path) -> None:
    with running(tmp_path, NOT_WOKEN) as program:
        said = attach(program.pid, "--wait", 1)  # after 2 s it is a lost wake-up
        assert (said.returncode, said.stderr) == (2, ""), said.stdout
        assert "main (Task-1) could go on, but the event loop has slept" in said.stdout, said.stdout


def test_of_a_process_that_is_left_alone_it_is_said_where_it_sleeps(tmp_path: Path) -> None:
    """What a write to a pipe has written cannot be told from outside, and a stop would end it there."""
    with running(tmp_path, ASLEEP, name="writes.py") as program:
        said = attach(program.pid, "--alone")
        assert (said.returncode, said.stdout) == (2, "")
        assert re.search(
            rf"thread {program.pid} sleeps in write of a pipe \(fd \d\), which sleep \(pid \d+\) has too, which must "
            "not be interrupted",
            said.stderr,
        ), said.stderr
        child = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()[0]
        os.kill(int(child), signal.SIGKILL)


def test_a_process_is_watched_until_it_ends(tmp_path: Path) -> None:
    """From outside: nothing is in it between two looks. A verdict is said once."""
    with running(tmp_path, TASKS) as program:
        before = traces(program.pid)
        watching = subprocess.Popen(
            [sys.executable, "-m", "peeps_otel.attach", str(program.pid), "--watch"],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert watching.stdout is not None
            assert re.match(r"\d\d:\d\d:\d\d  DEADLOCK, PROVEN, ", watching.stdout.readline())
            no_copy_lives(program.pid)
            assert traces(program.pid) == before
            program.kill()
            rest, said = watching.communicate(timeout=60)
            assert "DEADLOCK" not in rest
            assert (watching.returncode, said) == (1, f"peeps: shop.py (pid {program.pid}) has ended\n")
        finally:
            end(watching)


@pytest.mark.parametrize(
    ("found", "arguments"),
    [("by its file", ("--pid-file", "shop.pid")), ("by its name", ("--match", "shop-4c1f.py"))],
)
def test_a_process_is_found(found: str, arguments: tuple[str, str], tmp_path: Path) -> None:
    del found
    with running(tmp_path, CALM, name="shop-4c1f.py") as program:
        (tmp_path / "shop.pid").write_text(f"{program.pid}\n")
        option, value = arguments
        value = str(tmp_path / value) if option == "--pid-file" else value
        said = attach(option, value, "--wait", 0, "--json")
        assert [one["pid"] for one in json.loads(said.stdout)["refused"]] == []
        assert said.returncode == 0


def test_what_cannot_be_attached_to_is_said_and_left_alone(tmp_path: Path) -> None:
    def reason(pid: int) -> str:
        said = attach(pid)
        assert (said.returncode, said.stdout) == (2, "")
        return said.stderr.partition(" is as it was: ")[2].strip()

    assert reason(1 << 22) == "there is no such process"
    with running(tmp_path, CALM) as program:
        os.kill(program.pid, signal.SIGSTOP)
        assert reason(program.pid) == f"it is stopped; let it go on with `kill -CONT {program.pid}`"
        os.kill(program.pid, signal.SIGCONT)
    busy = "print('works', flush=True)\nwhile True: pass\n"
    with running(tmp_path, busy) as program:
        assert reason(program.pid).startswith("its interpreter is busy all the time")
        assert program.poll() is None


def test_what_a_forked_process_has_of_its_parent_is_not_its_own(tmp_path: Path) -> None:
    """The ring is in its memory, of a loop that runs in the parent alone, where it has been broken."""
    with running(tmp_path, FORKED) as program:
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
        child = int(children[0])
        try:
            said = attach(child, "--alone", "--wait", 2)
            assert "DEADLOCK" not in said.stdout, said.stdout
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("name", ["by_multiprocessing.py", "bare.py"])
def test_a_lock_of_several_processes_is_the_parents_where_it_was_taken_before_the_fork(
    name: str, tmp_path: Path
) -> None:
    """The function that has taken it is on the child's stack too, which waits for it, and is no deadlock."""
    with running(tmp_path, SHARED, name=name) as program:
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
        child = int(children[-1])
        try:
            said = attach(child, "--alone", "--wait", 2)
            assert "DEADLOCK" not in said.stdout, said.stdout
            assert not said.stdout.startswith("Nothing is stuck"), said.stdout
        finally:
            os.kill(child, signal.SIGKILL)


def test_where_the_parent_has_gone_what_it_left_in_a_forked_process_is_not_proven(tmp_path: Path) -> None:
    with running(tmp_path, FORKED) as program:
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
        child = int(children[0])
        try:
            program.kill()
            program.wait()
            said = attach(child, "--alone", "--wait", 2)
            assert "PROVEN," not in said.stdout, said.stdout
        finally:
            os.kill(child, signal.SIGKILL)
