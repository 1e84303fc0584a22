# SPDX-License-Identifier: Apache-2.0
"""A test that leaves a thread or a process behind fails itself. Otherwise others fail, which see that thread and its
tasks, or that child, which might end a wait."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .waiting import eventually

_PATIENCE_S = 20.0
_SOON_S = 0.5
_THREADS = Path("/proc/self/task")
_STAYS = "multiprocessing.resource_tracker"
"""The standard library starts it once and keeps it."""


@contextmanager
def no_thread_left(*stays: str) -> Generator[None]:
    """AssertionError at the end of the block where threads of it still run, a while later too.

    `stays`: what the name of a thread ends with that a library may leave behind.
    """
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + _PATIENCE_S
    left: list[str] = []
    for thread in set(threading.enumerate()) - before:
        if thread.name.endswith(stays):
            continue
        thread.join(_SOON_S)
        if thread.is_alive():
            gc.collect()  # the thread of an executor that nobody shut down ends with it
            thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            left.append(thread.name)
    assert left == [], "threads that the test started still run"


@contextmanager
def no_process_left(patience_s: float = _PATIENCE_S) -> Generator[None]:
    """AssertionError at the end of the block where child processes of it still run, a while later too. Without `/proc`
    none are seen."""
    before = _children()
    yield
    left: dict[int, str] = {}

    def gone() -> bool:
        left.clear()
        left.update((pid, command) for pid, command in _children().items() if pid not in before)
        return not left

    if not gone():
        gc.collect()
        try:
            eventually(gone, seconds=patience_s)
        except AssertionError:
            raise AssertionError(f"processes that the test started still run: {left}") from None


def _children() -> dict[int, str]:
    """What each child was started with that has not ended, by its pid."""
    found: dict[int, str] = {}
    for thread in os.listdir(_THREADS) if _THREADS.is_dir() else ():  # before and after each test: no glob
        try:
            with open(f"{_THREADS}/{thread}/children", "rb") as listed:
                pids = [int(pid) for pid in listed.read().split()]
        except OSError:
            continue
        for pid in pids:
            command = _command(pid)
            if command and _STAYS not in command:
                found[pid] = command
    return found


def _command(pid: int) -> str:
    """Empty once it has ended, waited for or not."""
    try:
        process = Path(f"/proc/{pid}")
        name, state = (process / "stat").read_bytes().rsplit(b") ", 1)
        if state[:1] in b"ZX":
            return ""
        words = (process / "cmdline").read_bytes()  # none in the middle of an exec
    except OSError:
        return ""
    return (words.replace(b"\0", b" ").strip() or name.partition(b"(")[2]).decode(errors="replace")
