# SPDX-License-Identifier: Apache-2.0
"""What a suspended task waits for: recognised by the code object of its innermost coroutine.

Not recognised means shown as what it is (a future of some type), never guessed.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
from collections.abc import Callable, Iterable
from gc import get_referents
from types import CellType, CodeType
from typing import Any, NamedTuple

from ...model import NodeKind
from ..internals import asyncio_core as internals
from ..internals import asyncio_io as io_internals
from ..internals import asyncio_operations as operations
from ..internals.asyncio_operations import Operation
from ..internals.await_chain import SuspendedFrame


class Waiting(NamedTuple):
    """`targets`: tasks, futures, one primitive or one connection. `needs`: how many of them. `cancels`: whether
    cancelling the waiter cancels them. `deadline`: loop time at which a timer ends this wait. `thread`: the ident of
    the thread that works for the target, where it is known from here."""

    operation: Operation
    targets: tuple[Any, ...]
    needs: int = 1
    cancels: bool = False
    deadline: float | None = None
    thread: int | None = None


Finder = Callable[[list[SuspendedFrame], SuspendedFrame, Any], Waiting | None]
"""Reads a wait of another library off the chain: the chain, its link that was recognised, the awaited future."""

_FUTURE = Operation("future", None, None)
_TASK = Operation("task", None, None)
_GATHER = Operation("gather", None, None)
_SHIELD = Operation("shield", None, None)
_EXECUTOR = Operation("executor", None, None)
_WAITS_BESIDE = sys.version_info < (3, 12)  # `wait_for`: not for what it was given, but for a future of its own
_SOCKET = Operation("socket", NodeKind.IO, None)  # of uvloop, which does not tell what is done with it
_OUTER_LINKS = 5
_NESTED_MOST = 5


class Classifier:
    """Knows asyncio's coroutines by identity. Keyed by `id(code)`: hashing a code object walks its bytecode."""

    def __init__(self) -> None:
        self._inner: dict[int, Operation] = {}
        self._outer: dict[int, Operation] = {}
        self._finders: dict[int, Finder] = {}
        self._codes: list[CodeType] = []  # keeps the identities valid
        self.learned = 0
        """How often something was learned: what followed from less may be wrong."""
        self.learn()

    def learn(self) -> None:
        """Adds asyncio's functions as they are now: call before and after they are rewritten."""
        self.learned += 1
        for table, known in ((self._inner, operations.operations()), (self._outer, operations.outer_operations())):
            for code, operation in known:
                table[id(code)] = operation
                self._codes.append(code)

    def learn_more(self, known: Iterable[tuple[CodeType, Finder]]) -> None:
        """Adds the coroutines of another library; they go before asyncio's own that they use."""
        self.learned += 1
        for code, finder in known:
            self._finders[id(code)] = finder
            self._codes.append(code)

    def classify(self, links: list[SuspendedFrame], future: asyncio.Future[Any]) -> Waiting:
        """`links`: the chain of awaits, outermost first; `future`: what the task is suspended on."""
        if self._finders:
            for link in reversed(links[-_OUTER_LINKS:]):
                finder = self._finders.get(id(link.code))
                found = None if finder is None else finder(links, link, future)
                if found is not None:
                    return found
        if links:
            innermost = links[-1]
            operation = self._inner.get(id(innermost.code))
            if operation is not None:
                return self._known(operation, links, innermost, future)
        return of_future(future)

    def plain(self, codes: tuple[CodeType, ...]) -> Operation | None:
        """What tasks in these functions wait for, where that follows from the innermost one alone."""
        if any(id(code) in self._finders for code in codes[-_OUTER_LINKS:]):
            return None
        if any(id(code) in self._outer for code in codes[-4:-1]):
            return None
        return self._inner.get(id(codes[-1]))

    def locks_given_up(self, links: list[SuspendedFrame]) -> list[Any]:
        """Locks that a task does not hold although it is inside their block: `Condition.wait` releases its lock."""
        found: list[Any] = []
        for link in links:
            operation = self._inner.get(id(link.code))
            if operation is not None and operation.name == "condition.wait" and operation.finds is not None:
                lock = internals.held_by_manager(first_of(link, operation.finds))
                if lock is not None:
                    found.append(lock)
        return found

    def is_own(self, code: CodeType) -> bool:
        """Whether it is a coroutine by which one waits, not one that does something."""
        return id(code) in self._inner or id(code) in self._outer or id(code) in self._finders

    def _known(
        self, operation: Operation, links: list[SuspendedFrame], innermost: SuspendedFrame, future: Any
    ) -> Waiting:
        for link in links[-4:-1]:
            outer = self._outer.get(id(link.code))
            if outer is not None:
                return _outer(outer, links, link)
        if operation.finds is not None:
            return _found(operation, innermost)
        match operation.name:
            case "sleep":
                return Waiting(operation, (), deadline=_timer(innermost))
            case "wait":
                return _wait(operation, innermost)
            case "wait_for" if not _WAITS_BESIDE:
                return of_future(future)._replace(operation=operation, cancels=True)
            case "wait_for" | "wait_for.cancel":
                return _wait_for(operation, innermost, future)
            case _:
                return Waiting(operation, ())


def of_future(future: Any) -> Waiting:
    """What a future stands for: a task, several, the work of another thread; itself where that is not known."""
    if issubclass(type(future), asyncio.Task):
        return Waiting(_TASK, (future,), cancels=True)
    children = internals.gathered(future)
    if children is not None:
        return _gather(children)
    for linked in internals.linked_futures(future):
        if issubclass(type(linked), concurrent.futures.Future):
            return Waiting(_EXECUTOR, (linked,))
        return Waiting(_SHIELD, _behind(linked))
    connection = io_internals.uvloop_socket(future)
    if connection is not None:
        return Waiting(_SOCKET, (connection,))
    return Waiting(_FUTURE, (future,))


def _gather(children: list[asyncio.Future[Any]], depth: int = 0) -> Waiting:
    """All of the unfinished ones; a `gather` among them needs all of its own."""
    targets: list[Any] = []
    for child in children:
        if child.done():
            continue
        inner = internals.gathered(child)
        if inner is not None and depth < _NESTED_MOST:
            targets += _gather(inner, depth + 1).targets
        else:
            targets += _behind(child)
    return Waiting(_GATHER, tuple(targets), len(targets), cancels=True)


def _behind(future: Any) -> tuple[Any, ...]:
    """One thing to wait for in place of a future: the task or the work of another thread that resolves it."""
    if issubclass(type(future), asyncio.Task) or internals.gathered(future) is not None:
        return (future,)
    return next(((linked,) for linked in internals.linked_futures(future)), (future,))


def _outer(operation: Operation, links: list[SuspendedFrame], link: SuspendedFrame) -> Waiting:
    if operation.finds is not None:
        return _found(operation, link)
    futures, timer = internals.still_to_complete(links, link)
    pending = tuple(target for future in futures if not future.done() for target in _behind(future))
    return Waiting(operation, pending, deadline=timer)


def _found(operation: Operation, link: SuspendedFrame) -> Waiting:
    assert operation.finds is not None
    thing = first_of(link, operation.finds)
    if thing is None:
        return Waiting(operation, ())
    if operation.name == "taskgroup":
        children = tuple(internals.group_tasks(thing))
        return Waiting(operation, children, len(children), cancels=True)
    if operation.name.startswith("stream."):
        thing = io_internals.transport_of(thing)
    return Waiting(operation, () if thing is None else (thing,))


def first_of(link: SuspendedFrame, wanted: type[Any]) -> Any:
    """The first local of a suspended function that is of a type; `self` comes first. Then those that an inner function
    shares."""
    for referent in link.referents:
        if issubclass(type(referent), wanted):
            return referent
    for cell in link.referents:
        if type(cell) is CellType:
            for content in get_referents(cell):
                if issubclass(type(content), wanted):
                    return content
    return None


def locals_and_cells(link: SuspendedFrame) -> list[Any]:
    """What a suspended function refers to, shared variables included."""
    found: list[Any] = []
    for referent in link.referents:
        found.append(referent)
        if type(referent) is CellType:
            found.extend(get_referents(referent))
    return found


def _timer(link: SuspendedFrame) -> float | None:
    for referent in locals_and_cells(link):
        deadline = internals.timer_deadline(referent)
        if deadline is not None:
            return deadline
    return None


def _wait(operation: Operation, innermost: SuspendedFrame) -> Waiting:
    """`asyncio.wait`: all, or the first."""
    things = locals_and_cells(innermost)
    futures: set[Any] = next((set(thing) for thing in things if type(thing) in (set, frozenset) and thing), set[Any]())
    pending = tuple(target for future in futures if not future.done() for target in _behind(future))
    # FIRST_EXCEPTION: a single one may be enough.
    everything = asyncio.ALL_COMPLETED in (thing for thing in things if type(thing) is str)
    return Waiting(operation, pending, len(pending) if everything else 1, deadline=_timer(innermost))


def _wait_for(operation: Operation, innermost: SuspendedFrame, waiter: Any) -> Waiting:
    """It waits for a future of its own, beside what it was given. While it cancels that, no timer is left."""
    for thing in locals_and_cells(innermost):
        if thing is not waiter and issubclass(type(thing), asyncio.Future) and not thing.done():
            return Waiting(operation, _behind(thing), cancels=True, deadline=_timer(innermost))
    return Waiting(operation, (), deadline=_timer(innermost))
