# SPDX-License-Identifier: Apache-2.0
"""What a suspended task waits for: recognised by the code object of its innermost coroutine.

Not recognised means shown as what it is (a future of some type), never guessed.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
from types import CellType, CodeType
from typing import Any, NamedTuple

from . import asyncio_internals as internals
from .asyncio_internals import Operation
from .await_chain import Link


class Waiting(NamedTuple):
    """`targets`: tasks or one primitive. `needs`: how many of them. `cancels`: whether cancelling the waiter cancels
    them. `deadline`: loop time at which a timer ends this wait."""

    operation: Operation
    targets: tuple[Any, ...]
    needs: int = 1
    cancels: bool = False
    deadline: float | None = None


_FUTURE = Operation("future", None, None)
_TASK = Operation("task", None, None)
_GATHER = Operation("gather", None, None)
_SHIELD = Operation("shield", None, None)
_EXECUTOR = Operation("executor", None, None)


class Classifier:
    """Knows asyncio's coroutines by identity. Keyed by `id(code)`: hashing a code object walks its bytecode."""

    def __init__(self) -> None:
        self._inner: dict[int, Operation] = {}
        self._outer: dict[int, Operation] = {}
        self._codes: list[CodeType] = []  # keeps the identities valid
        self.learn()

    def learn(self) -> None:
        """Adds asyncio's functions as they are now: call before and after they are rewritten."""
        for table, known in ((self._inner, internals.operations()), (self._outer, internals.outer_operations())):
            for code, operation in known:
                table[id(code)] = operation
                self._codes.append(code)

    def classify(self, links: list[Link], future: asyncio.Future[Any]) -> Waiting:
        """`links`: the chain of awaits, outermost first; `future`: what the task is suspended on."""
        if links:
            innermost = links[-1]
            operation = self._inner.get(id(innermost.code))
            if operation is not None:
                return self._known(operation, links, innermost)
        return self._future(future)

    def locks_given_up(self, links: list[Link]) -> list[Any]:
        """Locks that a task does not hold although it is inside their block: `Condition.wait` releases its lock."""
        found: list[Any] = []
        for link in links:
            operation = self._inner.get(id(link.code))
            if operation is not None and operation.name == "condition.wait" and operation.finds is not None:
                lock = internals.held_by_manager(first_of(link.suspended, operation.finds))
                if lock is not None:
                    found.append(lock)
        return found

    def is_own(self, code: CodeType) -> bool:
        return id(code) in self._inner or id(code) in self._outer

    def _known(self, operation: Operation, links: list[Link], innermost: Link) -> Waiting:
        for link in links[-4:-1]:
            outer = self._outer.get(id(link.code))
            if outer is not None and outer.finds is not None:
                thing = first_of(link.suspended, outer.finds)
                return Waiting(outer, () if thing is None else (thing,))
        if operation.finds is not None:
            thing = first_of(innermost.suspended, operation.finds)
            if operation.name == "taskgroup" and thing is not None:
                children = tuple(internals.group_tasks(thing))
                return Waiting(operation, children, len(children), cancels=True)
            return Waiting(operation, () if thing is None else (thing,))
        match operation.name:
            case "sleep":
                return Waiting(operation, (), deadline=_timer(innermost))
            case "wait":
                return _wait(operation, innermost)
            case "wait_for":
                inner = first_of(innermost.suspended, asyncio.Task)
                targets = () if inner is None else (inner,)
                return Waiting(operation, targets, cancels=True, deadline=_timer(innermost))
            case _:
                return Waiting(operation, ())

    def _future(self, future: asyncio.Future[Any]) -> Waiting:
        if issubclass(type(future), asyncio.Task):
            return Waiting(_TASK, (future,), cancels=True)
        children = internals.gathered(future)
        if children is not None:
            tasks = tuple(child for child in children if not child.done())
            if all(issubclass(type(child), asyncio.Task) for child in tasks):
                return Waiting(_GATHER, tasks, len(tasks), cancels=True)
            return Waiting(_GATHER, ())
        for linked in internals.linked_futures(future):
            if issubclass(type(linked), asyncio.Task):
                return Waiting(_SHIELD, (linked,))
            if issubclass(type(linked), concurrent.futures.Future):
                return Waiting(_EXECUTOR, ())
        return Waiting(_FUTURE, ())


def first_of(suspended: object, wanted: type[Any]) -> Any:
    """The first local of a suspended function that is of a type; `self` comes first. Then those that an inner function
    shares."""
    cells: list[CellType] = []
    for referent in gc.get_referents(suspended):
        if type(referent) is CellType:
            cells.append(referent)
        elif issubclass(type(referent), wanted):
            return referent
    for cell in cells:
        for content in gc.get_referents(cell):
            if issubclass(type(content), wanted):
                return content
    return None


def _timer(link: Link) -> float | None:
    for referent in _locals_and_cells(link):
        deadline = internals.timer_deadline(referent)
        if deadline is not None:
            return deadline
    return None


def _locals_and_cells(link: Link) -> list[Any]:
    found: list[Any] = []
    for referent in gc.get_referents(link.suspended):
        found.append(referent)
        if type(referent).__name__ == "cell":
            found.extend(gc.get_referents(referent))
    return found


def _wait(operation: Operation, innermost: Link) -> Waiting:
    """`asyncio.wait`: all, or the first."""
    things = _locals_and_cells(innermost)
    futures: set[Any] = next((set(thing) for thing in things if type(thing) in (set, frozenset) and thing), set[Any]())
    pending = tuple(future for future in futures if not future.done())
    # FIRST_EXCEPTION: a single one may be enough.
    everything = asyncio.ALL_COMPLETED in (thing for thing in things if type(thing) is str)
    if not all(issubclass(type(future), asyncio.Task) for future in pending):
        return Waiting(operation, (), deadline=_timer(innermost))
    return Waiting(operation, pending, len(pending) if everything else 1, deadline=_timer(innermost))
