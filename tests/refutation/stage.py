# SPDX-License-Identifier: Apache-2.0
"""What generated programs tell the oracle while they run: that somebody has gone on, and that somebody was stopped.

One stage per process, with several programs on it. A forked child begins anew with the program and the thread that
forked.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import greenlet
import trio

OUTSIDE = "from outside"


@dataclass(slots=True, eq=False)
class Steps:
    """Of one task or thread, whether it still is there or not: how many, and when the last was, on the monotonic
    clock."""

    count: int = 0
    last_ns: int = 0


class Player:
    """One program. It imports these few functions, and runs on threads of its own; the looker reads."""

    def __init__(self, seed: int, kinds: tuple[str, ...] = (), longest_ms: int = 0) -> None:
        self.seed, self.kinds, self.longest_ms = seed, kinds, longest_ms
        self.moved_ns = time.monotonic_ns()
        self.breaks = 0  # cancellations from outside, raised errors, loops that stop: legal ends of any wait
        self.begun_ns = 0  # on the monotonic clock; not yet: 0
        self.finished = False
        self.error = ""

    def moved(self) -> None:
        """The calling task and thread have made a step of the program."""
        ident, now_ns = threading.get_ident(), time.monotonic_ns()
        if ident in stage.interrupted:
            return
        self.moved_ns = now_ns
        _count(stage.of_thread(ident), now_ns)
        task = _current_task()
        if task is not None:
            _count(stage.of_task(task), now_ns)

    def outside(self, task: asyncio.Task[Any] | None) -> None:
        """Somebody who has nothing to do with the wait cancels a task: that breaks it, it does not end by itself."""
        if task is not None and not task.done():
            self.breaks += 1
            task.cancel(OUTSIDE)

    def failure(self) -> Exception:
        """An error that the program raises on purpose: whatever it tears down with it is broken, not refuted."""
        self.breaks += 1
        return RuntimeError("on purpose")

    def stopping(self) -> None:
        """A loop is about to cancel what is left."""
        self.breaks += 1

    def forked(self) -> int:
        """`os.fork`; in the child the oracle begins anew."""
        for call in before_fork:
            call()
        pid = os.fork()
        if pid:
            children.append(pid)
        else:
            children.clear()
            stage.begin([self])
            for call in after_fork:
                call()
        return pid


class Stage:
    """Who has gone on how often. Written by the programs' threads, read by the oracle's."""

    def __init__(self) -> None:
        self.folder = ""
        """For the programs' files. It does not outlast them."""
        self.begin([])

    def begin(self, players: list[Player]) -> None:
        """With these programs alone: of what was before nothing moves any more."""
        self.players = players
        self.interrupted: set[int] = set()
        """Threads that run a signal handler in the middle of a wait, which goes on afterwards."""
        self._by_thread: dict[int, Steps] = {}
        self._by_task: WeakKeyDictionary[object, Steps] = WeakKeyDictionary()
        for player in players:
            player.moved_ns = time.monotonic_ns()

    def of_thread(self, ident: int) -> Steps:
        return self._by_thread.setdefault(ident, Steps())

    def of_task(self, task: object) -> Steps:
        """Of asyncio, or of Trio, or a greenlet."""
        return self._by_task.setdefault(task, Steps())

    def tasks(self) -> list[object]:
        """All that have made a step and still are there."""
        return list(self._by_task)

    def player(self, module: str) -> Player:
        """The program that is this module."""
        return next(one for one in self.players if module_name(one.seed) == module)

    @property
    def moved_ns(self) -> int:
        return max(player.moved_ns for player in self.players)


def module_name(seed: int) -> str:
    return f"program_{seed}"


def _current_task() -> object | None:
    """Whichever loop the calling thread runs; of a thread that runs none of them, nothing."""
    try:
        return asyncio.current_task() or _greenlet()
    except RuntimeError:
        pass
    try:
        return trio.lowlevel.current_task()
    except RuntimeError:
        return _greenlet()


def _greenlet() -> object | None:
    current = greenlet.getcurrent()
    return None if current.parent is None else current


def _count(steps: Steps, now_ns: int) -> None:
    steps.count += 1
    steps.last_ns = now_ns


stage = Stage()


def interrupting(function: Callable[[], object]) -> None:
    """Runs a signal handler, made by a program: whatever the thread was waiting for, it does not go on by that, unless
    the handler raises. Then the wait is broken, and with it, up to CPython 3.12, that of whoever joins the same thread:
    `Thread.join` takes such an error for one that came when the thread had ended, and marks it as ended (bpo-45274)."""
    ident = threading.get_ident()
    stage.interrupted.add(ident)
    try:
        function()
    except BaseException:
        stage.player(function.__module__).breaks += 1
        raise
    finally:
        stage.interrupted.discard(ident)


class Guard:
    """Calls a function when it is finalized."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function

    def __del__(self) -> None:
        self.function()


children: list[int] = []
before_fork: list[Callable[[], None]] = []
after_fork: list[Callable[[], None]] = []
