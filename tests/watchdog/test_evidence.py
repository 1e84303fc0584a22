# SPDX-License-Identifier: Apache-2.0
"""Stacks may be asked for only while one thread keeps the interpreter: everything else would risk the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from peeps_otel.watchdog import evidence
from peeps_otel.watchdog.evidence import Evidence
from tests.support.waiting import eventually

_PROLOGUE = """\
import ctypes, re, sys, threading, time
ready = threading.Event()
def beats():
    print(threading.get_native_id(), flush=True)
    while True:
        ready.set()
        time.sleep(0.5)
threading.Thread(target=beats, daemon=True).start()
ready.wait()
def work():
    while True:
        sum(range(100))
def hog():
    re.match(r"(a+)+$", "a" * 60 + "b")
"""
Begin = Callable[[str], Callable[[], Evidence]]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Starts a program; what is returned looks at it."""
    started: list[subprocess.Popen[Any]] = []

    def start(text: str) -> Callable[[], Evidence]:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROLOGUE + textwrap.dedent(text)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        tid = int(process.stdout.readline())
        return lambda: evidence.gather(process.pid, tid)

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _until(look: Callable[[], Evidence], check: Callable[[Evidence], bool]) -> Evidence:
    """A busy machine hides a program that wants to run; what it shows in the end counts."""
    return eventually(lambda: seen if check(seen := look()) else None, "the evidence")


def test_a_call_that_keeps_the_interpreter(begin: Begin) -> None:
    look = begin("hog()")
    seen = _until(look, lambda seen: seen.stands_still)
    assert seen.letter == "R"
    assert seen.busiest is not None


def test_a_call_that_sleeps_with_it(begin: Begin) -> None:
    look = begin("ctypes.PyDLL(None).sleep(60)")
    seen = _until(look, lambda seen: seen.stands_still)
    assert (seen.letter, seen.busiest) == ("S", None)


@pytest.mark.parametrize("threads", [1, *(pytest.param(many, marks=pytest.mark.slow) for many in (4, 40))])
def test_python_that_runs(begin: Begin, threads: int) -> None:
    look = begin(f"""
        for _ in range({threads}):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(1000)
    """)
    _until(look, lambda seen: seen.letter == "R")
    assert [seen for seen in (look() for _ in range(8)) if seen.stands_still] == []


def test_nothing_to_do(begin: Begin) -> None:
    look = begin("time.sleep(1000)")
    assert [(seen.letter, seen.stands_still) for seen in (look() for _ in range(4))] == [("S", False)] * 4


def test_stopped_or_gone(begin: Begin) -> None:
    before = _children()
    look = begin("print(__import__('os').getpid(), flush=True); time.sleep(1000)")
    (pid,) = _children() - before
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)
    assert look() == Evidence("T", None, False)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert not look().stands_still


def _children() -> set[int]:
    found: set[int] = set()
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
            found |= set(map(int, file.read().split()))
    return found
