# SPDX-License-Identifier: Apache-2.0
"""What a generated program tells the oracle while it runs: that somebody has gone on, and that somebody was stopped.

A program imports these few names. One stage per process; a forked child begins anew with the thread that forked.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

OUTSIDE = "from outside"


class Stage:
    """Counters of steps by task and by thread ident. Written by the program's threads, read by the oracle's."""

    def __init__(self) -> None:
        self.by_thread: dict[int, int] = {}
        self.by_task: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()
        self.moved_ns = time.monotonic_ns()
        self.breaks = 0  # cancellations from outside, raised errors, loops that stop: legal ends of any wait
        self.over = False
        self.finished = False
        self.interrupted: set[int] = set()
        """Threads that run a signal handler in the middle of a wait, which goes on afterwards."""


stage = Stage()


def moved() -> None:
    """The calling task and thread have made a step of the program."""
    ident = threading.get_ident()
    if ident in stage.interrupted:
        return
    stage.by_thread[ident] = stage.by_thread.get(ident, 0) + 1
    stage.moved_ns = time.monotonic_ns()
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return
    if task is not None:
        stage.by_task[task] = stage.by_task.get(task, 0) + 1


def interrupting(function: Callable[[], object]) -> None:
    """Runs a signal handler: whatever the thread was waiting for, it does not go on by that."""
    ident = threading.get_ident()
    stage.interrupted.add(ident)
    try:
        function()
    finally:
        stage.interrupted.discard(ident)


def outside(task: asyncio.Task[Any] | None) -> None:
    """Somebody who has nothing to do with the wait cancels a task: that breaks the wait, it does not end by itself."""
    if task is not None and not task.done():
        stage.breaks += 1
        task.cancel(OUTSIDE)


def failure() -> Exception:
    """An error that the program raises on purpose: whatever it tears down with it is broken, not refuted."""
    stage.breaks += 1
    return RuntimeError("on purpose")


def stopping() -> None:
    """A loop is about to cancel what is left."""
    stage.breaks += 1


class Guard:
    """Calls a function when it is finalized."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function

    def __del__(self) -> None:
        self.function()


def begin_anew() -> None:
    """In a forked child: nothing of the parent moves here but the thread that forked."""
    stage.__init__()


children: list[int] = []
before_fork: list[Callable[[], None]] = []
after_fork: list[Callable[[], None]] = []


def forked() -> int:
    """`os.fork`; in the child the oracle begins anew."""
    for call in before_fork:
        call()
    pid = os.fork()
    if pid:
        children.append(pid)
    else:
        children.clear()
        begin_anew()
        for call in after_fork:
            call()
    return pid
