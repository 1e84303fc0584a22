# SPDX-License-Identifier: Apache-2.0
"""The event loops of the process: their numbers, their threads, their timers."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import ref

from ..identity import Identities
from ..inherited import Inherited
from ..internals import asyncio_core as internals
from ..internals import loop as loop_internals
from ..probe import Yield

_TIMERS_MOST = 20_000
_PAUSE_EVERY = 500


class Loops:
    """For the watcher thread only. Keeps no loop alive. `inherited`: in a forked child, what is the parent's."""

    def __init__(self, inherited: Inherited | None = None) -> None:
        self._inherited = inherited
        self._numbers: Identities[int] = Identities()
        self._count = 0
        self._threads: dict[int, int | None] = {}
        self._timers: dict[int, dict[int, float]] = {}
        self._found: list[ref[Any]] = []

    def begin(self) -> None:
        """A new look: what may have changed since the last one is read again."""
        self._threads.clear()
        self._timers.clear()
        if self._inherited is not None:
            self._inherited.begin()

    def is_alive(self, loop: object) -> bool:
        """False for a loop that is the parent's: in a forked child one counts from when it runs there."""
        return self._inherited is None or self._inherited.is_alive(loop)

    def number(self, loop: asyncio.AbstractEventLoop) -> int:
        """In the order in which the loops were seen, from 1."""
        known = self._numbers.get(loop)
        if known is None:
            self._count = known = self._count + 1
            self._numbers.put(loop, known)
        return known

    def living(self) -> list[asyncio.AbstractEventLoop]:
        """All that were seen and are still there."""
        return [loop for reference, _ in self._numbers.records() if (loop := reference()) is not None]

    def thread(self, loop: asyncio.AbstractEventLoop) -> int | None:
        """The ident of the thread that runs it; None: it is not running, or it is not known."""
        address = id(loop)
        if address not in self._threads:
            ident = loop_internals.thread_of(loop)
            if ident is None and loop_internals.is_foreign(loop):
                running = (thread for thread, other in internals.loops_on_stacks() if other is loop)
                ident = next(running, None)
            self._threads[address] = ident
        return self._threads[address]

    def tasks(self) -> list[ref[asyncio.Task[Any]]]:
        """References to the tasks of all loops."""
        if not internals.TASKS_BY_LOOP:
            return internals.task_references()
        known = [loop for reference in self._found if (loop := reference()) is not None]
        for _, loop in internals.loops_on_stacks():
            if not any(loop is other for other in known):
                known.append(loop)
        self._found = [ref(loop) for loop in known]
        return internals.task_references(known)

    def timer(self, loop: asyncio.AbstractEventLoop, future: object, pause: Yield) -> float | None:
        """The loop time at which a timer of the loop sets this future; None where there is none, or it cannot be told
        (uvloop, or a timer that reaches the future by a function of the program)."""
        timers = self._timers.get(id(loop))
        if timers is None:
            timers = self._timers[id(loop)] = {}
            for number, (target, when) in enumerate(internals.future_timers(loop, _TIMERS_MOST)):
                if number % _PAUSE_EVERY == 0:
                    pause()
                timers[id(target)] = min(when, timers.get(id(target), when))
        return timers.get(id(future))
