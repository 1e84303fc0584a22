# SPDX-License-Identifier: Apache-2.0
"""Which of very many new tasks are read first, where one look has not the budget for all.

A verdict is about those who wait for what others may hold, so they go first, and before them those who wait so while
they are inside a block, where something may be theirs. What this costs is a tenth of reading a task.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import ref

from ..internals.await_chain import may_have_entered
from .wait_shapes import Shapes

_SORTED_AT_ONCE = 200  # tasks between two chances for the other threads to run

NewTask = ref[asyncio.Task[Any]]


class Backlog:
    """For the watcher thread only. Keeps weak references."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._late: dict[int, NewTask] = {}
        self._queues: tuple[deque[int], ...] = (deque(), deque(), deque(), deque())  # addresses, the most urgent first
        self._wanted: deque[int] = deque()

    def has(self, address: int, reference: ref[asyncio.Task[Any]]) -> bool:
        """Whether this task waits here already."""
        return self._late.get(address) is reference

    def __len__(self) -> int:
        """How many wait; some may have ended."""
        return len(self._late)

    def want(self, task: asyncio.Task[Any]) -> None:
        """Somebody who was read waits for this one: it is among the next, if it is here."""
        if id(task) in self._late:
            self._wanted.append(id(task))

    def take(self, new: list[NewTask], most: int | None, between: Callable[[], object]) -> list[NewTask]:
        """Those to be read now, `most` at most, of all that wait here and of the new ones. None: all."""
        if most is None or (not self._late and len(new) <= most):
            late = list(self._late.values())
            self._clear()
            return late + new
        task = None
        for number, one in enumerate(new):
            if number % _SORTED_AT_ONCE == 0:
                task = None
                between()
            task = one()
            if task is not None:
                self._late[id(task)] = one
                self._queues[self._urgency(task)].append(id(task))
        found: list[NewTask] = []
        for queue in (self._wanted, *self._queues):
            while queue and len(found) < most:
                one = self._late.pop(queue.popleft(), None)
                if one is not None and one() is not None:
                    found.append(one)
        if not self._late:
            self._clear()
        return found

    def _clear(self) -> None:
        self._late.clear()
        for queue in (self._wanted, *self._queues):
            queue.clear()

    def _urgency(self, task: asyncio.Task[Any]) -> int:
        """0: inside a block, waits for what others may hold; 1: waits for such a thing; 2: for what only a reading
        tells; 3: for what nobody holds."""
        found = self._shapes.of(task.get_coro())
        if found is None:
            return 2
        shape, coroutines = found
        if not shape.wait.operation.lines_first:
            return 3
        following = (*coroutines[1:], None)
        return 0 if any(may_have_entered(coroutines[place], following[place]) for place in shape.entering) else 1
