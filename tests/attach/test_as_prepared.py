# SPDX-License-Identifier: Apache-2.0
"""What needs more than one look at objects: who has the other end of a connection, who has a lock on a file, who goes
round a loop that only asks, and since when all that is so. An attach says of it what a prepared program says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from peeps_otel.attach import descriptors, parked
from tests.attach.attach_story import CAN_ATTACH, attach, running
from tests.support.processes import end, environment

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="from Linux's /proc")

LOCK_FILES = """
import fcntl, os, tempfile, threading

folder = tempfile.mkdtemp()
first, second = os.path.join(folder, "first"), os.path.join(folder, "second")
both = threading.Barrier(3)

def transfer(one, other):
    with open(one, "w") as have, open(other, "w") as want:
        fcntl.flock(have, fcntl.LOCK_EX)
        both.wait()
        fcntl.flock(want, fcntl.LOCK_EX)

left = threading.Thread(target=transfer, args=(first, second), name="left")
right = threading.Thread(target=transfer, args=(second, first), name="right")
left.start(), right.start(), both.wait()
print("stuck", flush=True)
left.join()
"""

BOTH_WRITE = """
import asyncio

async def echo(reader, writer):
    while some := await reader.read(65536):
        writer.write(some)
        await writer.drain()

async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    asyncio.get_running_loop().call_later(0.5, lambda: print("stuck", flush=True))
    for _ in range(200):
        writer.write(bytes(1_000_000))
        await writer.drain()

asyncio.run(main())
"""

BOTH_ASK = """
import threading, time

asked, answered = [], []

def client():
    while not answered:
        time.sleep(0.1)
    asked.append(1)

def server():
    while not asked:
        time.sleep(0.1)
    answered.append(1)

both = [threading.Thread(target=one, name=one.__name__) for one in (client, server)]
[one.start() for one in both]
print("stuck", flush=True)
[one.join() for one in both]
"""

ASKED_IN_TURN = """
import threading, time

turn = [0]

def player(number):
    while True:
        while turn[0] != number:
            time.sleep(0.05)
        turn[0] = 1 - number

players = [threading.Thread(target=player, args=(one,), name=f"player-{one}") for one in (0, 1)]
[one.start() for one in players]
print("plays", flush=True)
[one.join() for one in players]
"""


FED_BY_A_THREAD = """
import subprocess, sys, threading, time

def feed(stream):
    while True:
        time.sleep(0.3)
        stream.write(b"line")
        stream.flush()

reads = "import os\\nwhile os.read(0, 100): pass"
child = subprocess.Popen([sys.executable, "-c", reads], stdin=subprocess.PIPE)
threading.Thread(target=feed, args=(child.stdin,), daemon=True).start()
print("works", flush=True)
child.wait()
"""


@CAN_ATTACH
@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "kind", "level", "members", "line"),
    [
        (LOCK_FILES, "deadlock", "LIKELY", {"left", "right", "MainThread"}, "fcntl.flock(want, fcntl.LOCK_EX)"),
        (BOTH_WRITE, "deadlock", "LIKELY", {"echo (Task-4)", "main (Task-1)"}, "await writer.drain()"),
    ],
    ids=["lock_files", "both_write"],
)
def test_it_says_what_a_prepared_program_says(
    tmp_path: Path, program: str, kind: str, level: str, members: set[str], line: str
) -> None:
    with running(tmp_path, program) as target:
        said = attach(target.pid, "--json")
        assert said.stderr == ""
        findings = json.loads(said.stdout)["findings"]
        told = [one for one in findings if (one["kind"], one["level"]) == (kind, level)]
        assert told, findings
        assert any(name in said.stdout for name in members)
        assert line in json.dumps(told), told
        assert said.returncode == 1


@CAN_ATTACH
@pytest.mark.slow
def test_who_asks_again_and_again_is_no_all_clear(tmp_path: Path) -> None:
    with running(tmp_path, BOTH_ASK) as target:
        said = attach(target.pid)
        assert said.stdout.startswith(("Nothing is known to be stuck, but who could end the wait of", "Cannot judge"))
        assert "shop.py:" in said.stdout.splitlines()[0]


@CAN_ATTACH
@pytest.mark.slow
def test_who_comes_back_to_the_same_loop_with_work_done_in_between_is_not_stuck(tmp_path: Path) -> None:
    with running(tmp_path, ASKED_IN_TURN) as target:
        said = attach(target.pid, "--json", "--wait", "12")
        assert (json.loads(said.stdout)["findings"], said.returncode == 1) == ([], False)


@CAN_ATTACH
@pytest.mark.slow
def test_a_child_that_has_run_in_between_is_where_it_was_no_more(tmp_path: Path) -> None:
    with running(tmp_path, FED_BY_A_THREAD) as target:
        said = attach(target.pid, "--json", "--alone", "--wait", "17")
        assert (json.loads(said.stdout)["findings"], said.returncode == 1) == ([], False)


@LINUX
def test_what_stands_at_a_descriptor_is_told_of_another_process() -> None:
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    with ours, theirs:
        ours.send(b"12345")
        os.write(writing, b"123")
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"],
            env=environment(),
            stdout=subprocess.PIPE,
            pass_fds=(theirs.fileno(), reading),
        )
        try:
            assert child.stdout is not None
            child.stdout.readline()
            before = sorted(os.listdir("/proc/self/fd"))
            found = descriptors.of_process(child.pid)
            assert sorted(os.listdir("/proc/self/fd")) == before
            at_socket, at_pipe = found[theirs.fileno()], found[reading]
            assert (at_socket.waiting, at_pipe.waiting, at_socket.size) == (5, 3, None)
            assert at_pipe.size is not None
            assert at_pipe.flags & os.O_ACCMODE == os.O_RDONLY
        finally:
            end(child)
            os.close(reading)
            os.close(writing)


@LINUX
@pytest.mark.skipif(not Path("/proc/self/sched").exists(), reason="the kernel does not tell when it let a thread go")
def test_a_thread_has_slept_since_before_it_was_looked_at() -> None:
    allowed = os.sched_getaffinity(0)
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"],
        env=environment(),
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(1.5)
        began_ns = time.monotonic_ns()
        (age_ns,) = parked.ages_ns(child.pid).values()
        assert 1_000_000_000 < age_ns < time.monotonic_ns() - began_ns + 60_000_000_000
        assert os.sched_getaffinity(0) == allowed
    finally:
        end(child)


def test_the_oldest_are_looked_at_first_and_alone() -> None:
    second = 1_000_000_000
    ages = {1: 700 * second, 2: 650 * second, 3: 40 * second, 4: 2 * second}
    assert parked.bases(ages, 5 * second) == [(650 * second, [1, 2]), (40 * second, [1, 2, 3])]
    assert parked.bases(parked.without(ages, [2, 3]), 5 * second) == [(700 * second, [1])]
    assert parked.bases(ages, 45 * second) == [(650 * second, [1, 2])]
