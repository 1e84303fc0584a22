# SPDX-License-Identifier: Apache-2.0
"""The private names of `concurrent.futures`, and of asyncio where it hands work from one thread to another.

Nothing in here runs code of the watched program.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from asyncio import events
from collections import deque
from collections.abc import Callable
from concurrent.futures import thread
from functools import partial
from gc import get_referents
from itertools import islice
from types import CoroutineType, FunctionType, MethodType
from typing import Any, NamedTuple, cast

from . import stdlib as stdlib_internals
from . import versions
from .stdlib import SIMPLE_QUEUE, attribute, number

CHECKED_ON = versions.on("CPython")

_MOST = 10_000
_FUNC: Callable[[object], object] = vars(partial)["func"].__get__
_ARGS: Callable[[object], tuple[object, ...]] = vars(partial)["args"].__get__
_WORK_ITEM: type[Any] = vars(thread)["_WorkItem"]


_DONE = ("FINISHED", "CANCELLED", "CANCELLED_AND_NOTIFIED")


def is_done(future: object) -> bool:
    """Whether a future of `concurrent.futures` has its result."""
    try:
        return object.__getattribute__(future, "_state") in _DONE
    except AttributeError:
        return False


class Item(NamedTuple):
    """One piece of work. `function`: its name, empty where it has none."""

    future: Any
    function: str


class State(NamedTuple):
    """`by_threads`: its work is done by threads of this process, and by nobody else."""

    name: str
    type_name: str
    workers: int | None
    workers_most: int | None
    queued: int | None
    by_threads: bool


def work_item(item: object) -> Item | None:
    """Of a thread pool, or of a process pool."""
    future = attribute(item, "future")
    if not issubclass(type(future), concurrent.futures.Future):
        return None
    function = attribute(item, "fn") or attribute(item, "task")  # `task`: from 3.14 on
    return Item(future, function_name(function))


def function_name(function: object) -> str:
    """The name of a function of the program; empty for anything else that can be called."""
    kind = type(function)
    if kind is tuple and function:
        function = cast("tuple[object, ...]", function)[0]
    function = _wrapped(function)
    if issubclass(type(function), partial):
        # `asyncio.to_thread` runs `context.run` with the function as its argument.
        inner, arguments = _FUNC(function), _ARGS(function)
        function = inner if type(inner) is FunctionType or not arguments else arguments[0]
    if type(function) is MethodType:
        function = function.__func__
    return function.__qualname__ if type(function) is FunctionType else ""


def _wrapped(function: object) -> object:
    """What an instrumentation has put a function of its own around: the one thing in its closure that can be called."""
    if type(function) is not FunctionType or not _is_of_an_instrumentation(function.__module__):
        return function
    called = [one for one in _closure(function) if issubclass(type(one), (FunctionType, MethodType, partial))]
    return called[0] if len(called) == 1 else function


def _is_of_an_instrumentation(module: object) -> bool:
    return type(module) is str and module.startswith("opentelemetry.instrumentation.")


def executor_reference(manager: object) -> Any:
    """The weak reference by which the thread that manages a process pool knows its executor."""
    return attribute(manager, "executor_reference")


def queued(executor: object) -> list[Item]:
    """The work that waits for a worker, first in first out; of a process pool also the work in its workers' hands."""
    queue = attribute(executor, "_work_queue")
    if type(queue) is SIMPLE_QUEUE:
        return [item for thing in _contents(queue) if (item := _thread_item(thing)) is not None]
    pending = attribute(executor, "_pending_work_items")
    if type(pending) is dict:
        items = list(islice(list(cast("dict[object, object]", pending).values()), _MOST))
        return [item for thing in items if (item := work_item(thing)) is not None]
    return []


def _thread_item(thing: object) -> Item | None:
    return work_item(thing) if issubclass(type(thing), _WORK_ITEM) else None


def _contents(queue: object) -> list[object]:
    """What is in a `SimpleQueue`, in order, without taking anything out: the garbage collector sees it, until 3.12 by
    way of a list whose beginning is filled with None."""
    found: list[object] = []
    for referent in get_referents(queue):
        if type(referent) is list:
            found += list(cast("list[object]", referent))[:_MOST]
        elif referent is not None and type(referent) is not type:
            found.append(referent)
    return found


def state(executor: object) -> State:
    kind = type(executor)
    threads = attribute(executor, "_threads")
    processes = attribute(executor, "_processes")
    queue = attribute(executor, "_work_queue")
    pending = attribute(executor, "_pending_work_items")
    by_threads = type(threads) is set
    workers = cast("Any", threads if by_threads else processes)
    prefix = attribute(executor, "_thread_name_prefix")
    count: int | None = None
    if type(queue) is SIMPLE_QUEUE:
        count = SIMPLE_QUEUE.qsize(queue)
    elif type(pending) is dict:
        count = len(cast("dict[object, object]", pending))
    return State(
        name=prefix if type(prefix) is str and prefix else kind.__name__,
        type_name=f"concurrent.futures.{kind.__name__}" if kind.__module__.startswith("concurrent.") else kind.__name__,
        workers=len(workers) if cast("type[object]", type(workers)) in (set, dict) else None,
        workers_most=number(executor, "_max_workers"),
        queued=count,
        by_threads=kind is thread.ThreadPoolExecutor,
    )


def promised(loop: object) -> list[tuple[Any, str]]:
    """The futures in the closures of callbacks that a loop has not come to: those of `run_coroutine_threadsafe`, each
    with the name of its coroutine."""
    ready = attribute(loop, "_ready")
    found: list[tuple[Any, str]] = []
    for handle in list(cast("deque[object]", ready))[:_MOST] if type(ready) is deque else []:
        if not issubclass(type(handle), events.Handle):
            continue
        callback = attribute(handle, "_callback")
        if type(callback) is FunctionType and callback.__module__ == "asyncio.tasks":
            shared = _closure(callback)
            name = next((known for one in shared if (known := coroutine_name(one))), "")
            found += [(one, name) for one in shared if issubclass(type(one), concurrent.futures.Future)]
    return found


def coroutine_name(value: object) -> str:
    """The name of the function that a coroutine runs; empty for anything else."""
    if type(value) is not CoroutineType:
        return ""
    return cast("CoroutineType[object, object, object]", value).__qualname__.rpartition("<locals>.")[2]


def chained_tasks(future: object) -> list[Any]:
    """The tasks whose result a future takes over: in the closures of its callbacks."""
    if not issubclass(type(future), concurrent.futures.Future):
        return []
    callbacks = stdlib_internals.attribute(future, "_done_callbacks")
    found: list[Any] = []
    for callback in list(cast("list[object]", callbacks)) if type(callbacks) is list else []:
        if type(callback) is FunctionType and callback.__module__ == "asyncio.futures":
            found += [one for one in _closure(callback) if issubclass(type(one), asyncio.Task)]
    return found


def _closure(function: FunctionType) -> list[object]:
    """The values that a function shares with the one around it."""
    return [content for cell in function.__closure__ or () for content in get_referents(cell)]
