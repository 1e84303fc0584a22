# SPDX-License-Identifier: Apache-2.0
"""Every private name of asyncio that the probes rely on, but for where its locks and queues keep their state:
`asyncio_primitives`.

Nothing in here takes a lock, calls a coroutine or runs code of the watched program. All of it may be called from any
thread while loops run: each read is one bytecode or one C call, atomic under the GIL; the picture it gives may be torn
between reads, which is why a verdict takes two looks.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import re
import sys
from asyncio import (
    base_events,
    events,
    futures,
    locks,
    queues,
    runners,
    taskgroups,
    tasks,
    timeouts,
)
from collections.abc import Callable, Iterable, Iterator, Mapping
from gc import get_referents
from operator import attrgetter
from types import BuiltinMethodType, CellType, CodeType, CoroutineType, FrameType, FunctionType, GeneratorType
from typing import Any, cast
from weakref import ref

from . import versions
from .await_chain import SuspendedFrame
from .current_frames import frames_of_all
from .heap import attribute

CHECKED_ON = versions.on("CPython", "CPython, partly", "uvloop")

FUTURE_MODULES = ("_asyncio", "asyncio.futures")
"""Where the type of a future says that it was defined: in C, in Python."""

TASKS_BY_LOOP = hasattr(asyncio, "future_add_to_awaited_by")
"""Since 3.14 the tasks of asyncio's own type can only be asked for loop by loop."""


def _inner_codes(function: object) -> list[CodeType]:
    constants: tuple[object, ...] = getattr(getattr(function, "__code__", None), "co_consts", ())
    return [constant for constant in constants if type(constant) is CodeType]


def task_references(loops: Iterable[asyncio.AbstractEventLoop] = ()) -> list[ref[asyncio.Task[Any]]]:
    """References to every task that is not done, of every loop and thread. `loops`: for Pythons (3.14) that keep the
    tasks of asyncio's own type by loop.

    Until 3.13 `asyncio.all_tasks` iterates a WeakSet in Python and raises, or retries a thousand times, while other
    threads create tasks; one copy of the underlying set is atomic.
    """
    found: list[ref[asyncio.Task[Any]]] = []
    references = getattr(tasks, "_scheduled_tasks", None)  # since 3.12; since 3.14 only of other types
    if references is None:
        references = getattr(tasks, "_all_tasks", None)  # 3.11
    data = cast("set[ref[asyncio.Task[Any]]] | None", getattr(references, "data", None))
    if data is not None:
        found += list(data)
    eager = cast("set[asyncio.Task[Any]] | None", getattr(tasks, "_eager_tasks", None))
    if eager:
        found += [ref(task) for task in list(eager)]
    for loop in loops:
        found += [ref(task) for task in asyncio.all_tasks(loop)]
    return found


def live_tasks() -> list[asyncio.Task[Any]]:
    """Every task that is not done."""
    loops = [loop for _, loop in loops_on_stacks()] if TASKS_BY_LOOP else []
    return [task for one in task_references(loops) if (task := one()) is not None and not task.done()]


def loops_on_stacks() -> list[tuple[int, asyncio.AbstractEventLoop]]:
    """The loops that threads are running now, by the ident of the thread: read off the frames of asyncio that run
    them."""
    found: list[tuple[int, asyncio.AbstractEventLoop]] = []
    for ident, innermost in frames_of_all():
        loop = next(loops_within(innermost), None)
        if loop is not None:
            found.append((ident, loop))
    return found


def all_loops_on_stacks() -> list[tuple[int, asyncio.AbstractEventLoop]]:
    """The same with those that are only on a stack: a callback of theirs runs another loop."""
    found: list[tuple[int, asyncio.AbstractEventLoop]] = []
    for ident, innermost in frames_of_all():
        found += [(ident, loop) for loop in loops_within(innermost)]
    return found


def loops_within(innermost: FrameType) -> Iterator[asyncio.AbstractEventLoop]:
    """The loops that the stack which ends in this frame runs, the innermost first; one may come twice."""
    frame: FrameType | None = innermost
    while frame is not None:
        loop: object = None
        if frame.f_code is _RUN_FOREVER:
            loop = frame.f_locals.get("self")
        elif frame.f_code is _RUNNER_RUN:
            loop = getattr(frame.f_locals.get("self"), "_loop", None)
        if issubclass(type(loop), asyncio.AbstractEventLoop):
            yield cast("asyncio.AbstractEventLoop", loop)
        frame = frame.f_back


_RUN_FOREVER = base_events.BaseEventLoop.run_forever.__code__
_RUNNER_RUN = runners.Runner.run.__code__


def _is_builtin(callback: object) -> bool:
    """Past `__class__`, which a proxy may answer with code of its own."""
    return issubclass(type(callback), BuiltinMethodType)


def future_timers(loop: asyncio.AbstractEventLoop, most: int) -> Iterator[tuple[object, float]]:
    """The futures that timers of a loop set, cancel or hand to a function, with the loop time of each timer."""
    is_own = issubclass(type(loop), base_events.BaseEventLoop)
    scheduled: object = getattr(loop, "_scheduled", None) if is_own else None
    if type(scheduled) is not list:
        return
    for handle in cast("list[asyncio.TimerHandle]", scheduled)[:most]:
        when = timer_deadline(handle)
        if when is None:
            continue
        callback: object = getattr(handle, "_callback", None)
        owner: object = cast("BuiltinMethodType", callback).__self__ if _is_builtin(callback) else None
        arguments: object = getattr(handle, "_args", None)
        for target in (owner, *(cast("tuple[object, ...]", arguments) if type(arguments) is tuple else ())):
            if issubclass(type(target), asyncio.Future):
                yield target, when


running_loop: Callable[[], asyncio.AbstractEventLoop | None] = asyncio._get_running_loop
"""The loop of the calling thread, without an exception where there is none."""


def running_task(loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any] | None:
    """The task that `loop` is executing at this moment."""
    return asyncio.current_task(loop)


def awaited_future(task: asyncio.Task[Any]) -> asyncio.Future[Any] | None:
    """The future a suspended task waits for; None: it is running, or ready to run.

    While it is the same object, the task has not made a step.
    """
    future: asyncio.Future[Any] | None = getattr(task, "_fut_waiter", None)
    if issubclass(type(future), asyncio.Future) and cast("asyncio.Future[Any]", future).done():
        return None  # woken, and only the loop has not come to it yet
    return future


def is_plain(task: object) -> bool:
    """Whether a task's attributes can be read without asking: nothing of asyncio's own task is overridden."""
    kind, own = cast("tuple[type[object], type[object]]", (type(task), asyncio.Task))
    if kind is own or not issubclass(kind, own):
        return kind is own
    return all(getattr(kind, name) is vars(own)[name] for name in _READ_OF_TASKS)


def failure_of(task: asyncio.Task[Any]) -> BaseException | None:
    """The exception that ended a task, which stays one that nobody has looked at. Let go of it at once."""
    if not is_plain(task) or not task.done():
        return None
    failure: object = getattr(task, "_exception", None)
    return cast("BaseException", failure) if issubclass(type(failure), BaseException) else None


def task_name(task: asyncio.Task[Any]) -> str:
    """As its node is called where it was never looked at: `main (Task-1)`, or the name it was given."""
    of_tasks: Any = asyncio.Task
    given: str = of_tasks.get_name(task)
    coroutine: Any = of_tasks.get_coro(task)
    code: CodeType | None = coroutine.cr_code if type(coroutine) is CoroutineType else None
    return f"{code.co_qualname} ({given})" if code is not None and _GIVEN.fullmatch(given) is not None else given


_GIVEN = re.compile(r"Task-\d+")


_READ_OF_TASKS = ("cancelling", "_fut_waiter")


def is_asyncio_future(future: object) -> bool:
    return issubclass(type(future), asyncio.Future)


waiter_of = cast("Callable[[asyncio.Task[Any]], asyncio.Future[Any] | None]", attrgetter("_fut_waiter"))
"""The future that a plain task is suspended on, be it done or not."""


def gathered(future: object) -> list[asyncio.Future[Any]] | None:
    """The children of `asyncio.gather`."""
    if not issubclass(type(future), asyncio.Future):
        return None  # not asyncio's: reading an attribute may run code of the program
    children: object = getattr(future, "_children", None)
    return list(cast("list[asyncio.Future[Any]]", children)) if type(children) is list else None


def linked_futures(future: object) -> list[object]:
    """The future that will resolve `future`: behind `shield` another one of asyncio, behind `run_in_executor` one of
    `concurrent.futures`. Found in the closures of asyncio's own callbacks; others say nothing about who resolves it,
    nor do those by which it is to resolve others."""
    found: list[object] = []
    if not issubclass(type(future), asyncio.Future):
        return found
    for callback, _ in cast("list[tuple[object, object]]", list(getattr(future, "_callbacks", None) or ())):
        if type(callback) is not FunctionType or id(callback.__code__) not in _LINKING:
            continue
        for cell in callback.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:
                continue
            if content is not future and issubclass(type(content), (asyncio.Future, concurrent.futures.Future)):
                found.append(content)
    return found


def still_to_complete(
    links: list[SuspendedFrame], link: SuspendedFrame
) -> tuple[list[asyncio.Future[Any]], float | None]:
    """What an `as_completed` still waits for, and when it times out; `link`: its `_wait_for_one`. Nothing where the
    awaitables it gave were taken out of it before they were awaited (until 3.12)."""
    todo: Any = None
    timer: Any = None
    for iterator in link.referents:  # since 3.13
        if type(iterator).__name__ == "_AsCompletedIterator":
            todo, timer = getattr(iterator, "_todo", None), getattr(iterator, "_timeout_handle", None)
    done = next((found for found in _contents(link.referents) if issubclass(type(found), queues.Queue)), None)
    for iterator in [referent for outer in links for referent in outer.referents] if done is not None else ():
        if type(iterator) is GeneratorType and cast("GeneratorType[Any, Any, Any]", iterator).gi_code is _AS_COMPLETED:
            contents = _contents(get_referents(iterator))
            if any(content is done for content in contents):
                todo = next((content for content in contents if type(content) in (set,)), None)
                timer = next((content for content in contents if timer_deadline(content) is not None), None)
    pending = list(cast("set[asyncio.Future[Any]]", todo)) if type(todo) is set else []
    return pending, None if timer is None else timer_deadline(timer)


_AS_COMPLETED: CodeType = tasks.as_completed.__code__  # until 3.12 a generator whose variables know what is to come


def _contents(referents: list[Any]) -> list[object]:
    """Of the variables that a suspended function shares with its inner ones."""
    return [content for cell in referents if type(cell) is CellType for content in get_referents(cell)]


_LINKING = {
    id(code)
    for function, of_the_resolved in (
        (vars(tasks).get("shield"), "_outer_done_callback"),
        (vars(futures).get("_chain_future"), "_call_check_cancel"),
    )
    for code in _inner_codes(function)
    if code.co_name == of_the_resolved
}


def group_tasks(group: object) -> list[asyncio.Task[Any]]:
    """The unfinished children of a TaskGroup."""
    return [task for task in list(getattr(group, "_tasks", ())) if not task.done()]


def timer_deadline(handle: Any) -> float | None:
    """The loop time at which a timer fires, of asyncio's and uvloop's handles alike; None: no timer, or cancelled."""
    if not type(handle).__name__.endswith("TimerHandle"):
        return None
    try:
        return None if handle.cancelled() else handle.when()
    except Exception:
        return None


def loop_of(task: asyncio.Task[Any]) -> asyncio.AbstractEventLoop:
    return task.get_loop()


def whole(number: object) -> int | None:
    """A number that fits into an attribute: programs also write `Semaphore(math.inf)` and `Queue(10**30)`."""
    return number if type(number) is int and -(1 << 63) <= number < 1 << 63 else None


INTERNAL_GLOBALS = frozenset(id(vars(m)) for m in (base_events, locks, queues, runners, taskgroups, tasks, timeouts))
"""Identities of the globals of modules whose frames stand between a caller and what he asked for."""

_CREATING = (tasks, taskgroups, runners)
"""Modules that create tasks on behalf of a caller."""


getframe: Callable[[int], FrameType] = sys._getframe  # pyright: ignore[reportPrivateUsage]  # documented, with an underscore
"""The frame so many calls above; one function call less than any wrapper of it."""


CREATING_GLOBALS = frozenset(id(vars(module)) for module in _CREATING)

STEP_OF_LOOP: CodeType = events.Handle._run.__code__
"""What a loop's callback is called from: a task that is made right below it was made by code that has no frames, such
as a coroutine of Cython."""


def asked_in(frame: FrameType, loop: asyncio.AbstractEventLoop) -> FrameType | None:
    """The frame that asked asyncio for a task. None: nobody's, for the loop is written in C and is running: the frame
    that runs it is the last there is."""
    found: FrameType | None = frame
    while found is not None and id(found.f_globals) in CREATING_GLOBALS:
        if found.f_code is _RUNNER_RUN and loop.is_running():
            return None
        found = found.f_back
    return found


CURRENT_TASK_IN_C = sys.version_info >= (3, 12)
"""Before, `asyncio.current_task` is written in Python; the table behind it is a plain dictionary."""


def current_tasks() -> Mapping[object, Any]:
    """The running task of each loop; empty where this Python keeps no such table."""
    table = cast("dict[object, Any] | None", getattr(tasks, "_current_tasks", None))
    return {} if table is None else table  # an empty one is the table, too


def current_task_reader() -> Callable[[asyncio.AbstractEventLoop], Any]:
    """The fastest way to the task a loop is running."""
    return asyncio.current_task if CURRENT_TASK_IN_C else current_tasks().get


def version_note() -> str:
    """What to say of a Python on which not everything was checked; empty for the others."""
    version = ".".join(map(str, sys.version_info[:2]))
    if VERSION_CHECKED:
        return ""
    if VERSION_PARTLY_CHECKED:
        return f"this Python ({version}) was checked without threads and sockets only"
    return f"this Python ({version}) was not checked: holders and waits may be missing"


VERSION_CHECKED = sys.version_info[:2] in versions.minor(versions.CPYTHON) and sys.implementation.name == "cpython"
VERSION_PARTLY_CHECKED = (
    sys.version_info[:2] in versions.minor(versions.CPYTHON_PARTLY) and sys.implementation.name == "cpython"
)


step_of: Callable[[Any], Any] = attrgetter("_callback")
"""The callback of a loop's handle: a step of a task, or anything else."""


TASK_TYPES: tuple[type, ...] = (asyncio.Task, vars(tasks)["_PyTask"])
"""asyncio's own tasks: in C, and in Python."""


def will_be_cancelled_by_timer(task: asyncio.Task[Any]) -> bool:
    """Whether an `asyncio.timeout` will cancel the task, by the timers of its loop."""
    scheduled: object = getattr(task.get_loop(), "_scheduled", ())
    for handle in list(cast("list[Any]", scheduled)) if type(scheduled) is list else ():
        owner: object = getattr(getattr(handle, "_callback", None), "__self__", None)
        if type(owner) is asyncio.Timeout and timed_task(owner) is task:
            return True
    return False


def timed_task(timeout: timeouts.Timeout) -> asyncio.Task[Any] | None:
    """The task that an entered `asyncio.timeout` with a deadline will cancel."""
    handler: object = attribute(timeout, "_timeout_handler")
    return cast("asyncio.Task[Any] | None", attribute(timeout, "_task")) if handler is not None else None
