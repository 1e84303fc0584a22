# SPDX-License-Identifier: Apache-2.0
"""What each of asyncio's own waits is for: a primitive, a task, several, the work of another thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
from gc import get_referents
from types import CellType
from typing import Any

from ...model.operations import Operation, operation
from ..internals import asyncio_core as internals
from ..internals import asyncio_io as io_internals
from ..internals import asyncio_operations
from ..internals.await_chain import SuspendedFrame
from ..library import Place, TaskFinder, TaskWait, Waiting, first_of

_FUTURE, _TASK, _GATHER = operation("future"), operation("task"), operation("gather")
_SHIELD, _EXECUTOR = operation("shield"), operation("executor")
_SOCKET = operation("socket")  # of uvloop, which does not tell what is done with it
_WAITS_BESIDE = sys.version_info < (3, 12)  # `wait_for`: not for what it was given, but for a future of its own
_NESTED_MOST = 5
_DRAIN = asyncio.StreamWriter.drain.__code__


def task_waits() -> tuple[TaskWait, ...]:
    """asyncio's coroutine functions, as they are now."""
    rows = [(function, Place.INNERMOST) for function in asyncio_operations.innermost()]
    rows += [(function, Place.AROUND) for function in asyncio_operations.around()]
    return tuple(
        TaskWait(function.code, operation(function.operation), function.finds, _finder(function), place)
        for function, place in rows
    )


def _finder(function: asyncio_operations.Function) -> TaskFinder | None:
    """Of a function that takes more than finding a local of a type."""
    name, finds = function.operation, function.finds
    if finds is not None and name.startswith("stream."):
        return _transport_in(operation(name), finds)
    if finds is not None and name == "taskgroup":
        return _children_of(finds)
    return _FINDERS.get(name)


def _transport_in(known: Operation, finds: type[Any]) -> TaskFinder:
    def find(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting:
        thing = first_of(link, finds)
        transport = _of_writer(links, link)
        if transport is None and thing is not None:
            transport = io_internals.transport_of(thing)
        return Waiting(known, () if transport is None else (transport,))

    return find


def _of_writer(links: list[SuspendedFrame], link: SuspendedFrame) -> object | None:
    """The transport of the writer whose `drain` has called this function: the protocol of a child process stands for
    all three of its pipes."""
    at = next((place for place, one in enumerate(links) if one is link), 0)
    writer = first_of(links[at - 1], asyncio.StreamWriter) if at > 0 and links[at - 1].code is _DRAIN else None
    return None if writer is None else io_internals.transport_of(writer)


def _children_of(group: type[Any]) -> TaskFinder:
    known = operation("taskgroup")

    def find(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting:
        thing = first_of(link, group)
        if thing is None:
            return Waiting(known, ())
        children = tuple(internals.group_tasks(thing))
        return Waiting(known, children, len(children), cancels=True)

    return find


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


def _sleep(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting:
    return Waiting(operation("sleep"), (), deadline=_timer(link))


def _wait(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting:
    """`asyncio.wait`: all, or the first."""
    things = locals_and_cells(link)
    futures: set[Any] = next((set(thing) for thing in things if type(thing) in (set, frozenset) and thing), set[Any]())
    pending = tuple(target for one in futures if not one.done() for target in _behind(one))
    # FIRST_EXCEPTION: a single one may be enough.
    everything = asyncio.ALL_COMPLETED in (thing for thing in things if type(thing) is str)
    return Waiting(operation("wait"), pending, len(pending) if everything else 1, deadline=_timer(link))


def _as_completed(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting:
    futures, timer = internals.still_to_complete(links, link)
    pending = tuple(target for one in futures if not one.done() for target in _behind(one))
    return Waiting(operation("as_completed"), pending, deadline=timer)


def _wait_for(_links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting:
    known = operation("wait_for")
    return _beside(known, link, future) if _WAITS_BESIDE else of_future(future)._replace(operation=known, cancels=True)


def _cancels(_links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting:
    return _beside(operation("wait_for.cancel"), link, future)


def _beside(known: Operation, link: SuspendedFrame, waiter: Any) -> Waiting:
    """It waits for a future of its own, beside what it was given. While it cancels that, no timer is left."""
    for thing in locals_and_cells(link):
        if thing is not waiter and issubclass(type(thing), asyncio.Future) and not thing.done():
            return Waiting(known, _behind(thing), cancels=True, deadline=_timer(link))
    return Waiting(known, (), deadline=_timer(link))


def _server_close(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting:
    """From Python 3.12 on, until each of its connections has ended: its handler, or the peer, must see to that."""
    known = operation("server.close")
    clients = io_internals.clients_of(first_of(link, asyncio.Server))
    handlers = [io_internals.handler_of(one) for one in clients]
    handled = [issubclass(type(one), asyncio.Task) and not one.done() for one in handlers]
    targets = tuple(
        task if is_handled else client for client, task, is_handled in zip(clients, handlers, handled, strict=True)
    )
    return Waiting(known, targets, max(1, len(targets)))


_FINDERS: dict[str, TaskFinder] = {
    "sleep": _sleep,
    "wait": _wait,
    "as_completed": _as_completed,
    "wait_for": _wait_for,
    "wait_for.cancel": _cancels,
    "server.close": _server_close,
}
