# SPDX-License-Identifier: Apache-2.0
"""What an event loop does at this moment, seen from another thread.

Everything here is a read; `send` alone puts a callback of ours into a loop, and only where the loop's own
`call_soon_threadsafe` is asyncio's or uvloop's.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from asyncio import base_events, events, tasks
from collections.abc import Callable, Iterable, Sequence
from types import CodeType, CoroutineType, FrameType, FunctionType
from typing import Any, cast
from weakref import WeakValueDictionary

from . import versions

CHECKED_ON = versions.on("CPython", "uvloop")

_RUNS = frozenset({"run_until_complete", "run_forever"})
_FOREIGN = ("uvloop",)


def running_tasks(loops: Iterable[asyncio.AbstractEventLoop]) -> list[tuple[asyncio.AbstractEventLoop, Any]]:
    """Each loop that is executing a task now, with that task. `loops`: those that are known, for Pythons without a
    table of their own."""
    table: object = getattr(tasks, "_current_tasks", None)
    if type(table) is dict:
        return list(cast("dict[asyncio.AbstractEventLoop, Any]", table).items())
    return [(loop, task) for loop in loops if (task := asyncio.current_task(loop)) is not None]


def thread_of(loop: asyncio.AbstractEventLoop) -> int | None:
    """The ident of the thread that runs `loop`; None: it is not running, or does not tell (uvloop)."""
    if not issubclass(type(loop), base_events.BaseEventLoop):
        return None
    try:
        ident: object = object.__getattribute__(loop, "_thread_id")
    except AttributeError:
        return None
    return ident if type(ident) is int else None


def turned_for(frame: FrameType) -> tuple[bool, Any]:
    """Whether this frame is asyncio's, in which a thread turns a loop until it is stopped; and what for, where that is
    known: the future whose end stops it. The rest of the thread's code runs after that."""
    code = frame.f_code
    if code is _UNTIL_COMPLETE:
        return True, frame.f_locals.get("future")
    if code is _RUNNER_RUN:
        return True, frame.f_locals.get("task")
    return code is _FOREVER, None


def is_foreign(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether its own frames cannot be seen: a loop written in C."""
    return not issubclass(type(loop), base_events.BaseEventLoop)


def is_in_callback(innermost: CodeType, foreign: bool) -> bool:
    """Whether a loop's thread, with this innermost code, executes a callback: it neither waits for events nor turns
    the loop itself. A `foreign` loop has no frames: while it idles, the innermost is that of whoever started it."""
    return not _turns(innermost, foreign)


def callback_root(codes: Sequence[CodeType], foreign: bool) -> int:
    """Identifies what a loop's thread executes: the outermost code of the current callback. Outermost first."""
    for position in range(len(codes) - 1, -1, -1):
        if codes[position] is _HANDLE_RUN or _turns(codes[position], foreign):
            return id(codes[position + 1]) if position + 1 < len(codes) else id(codes[position])
    return id(codes[0]) if codes else 0


def _turns(code: CodeType, foreign: bool) -> bool:
    return id(code) in _between if not foreign else not _RUNS.isdisjoint(code.co_names)


def step_begins_at(codes: Sequence[CodeType], task: Any) -> int:
    """The position of the task's own coroutine in its thread's stack, 0 where it is not found. Outermost first."""
    coroutine: object = task.get_coro()
    if type(coroutine) is not CoroutineType:
        return 0
    code = coroutine.cr_code
    return next((position for position in range(len(codes) - 1, -1, -1) if codes[position] is code), 0)


def runs_in(task: Any, innermost: FrameType) -> bool:
    """Whether the frame of `task` is in the stack that ends with this frame."""
    coroutine: object = task.get_coro()
    wanted = coroutine.cr_frame if type(coroutine) is CoroutineType else None
    frame: FrameType | None = innermost if wanted is not None else None
    while frame is not None:
        if frame is wanted:
            return True
        frame = frame.f_back
    return False


def has_due(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether callbacks are due on it; False for a loop that does not tell (uvloop)."""
    return issubclass(type(loop), base_events.BaseEventLoop) and bool(vars(loop).get("_ready"))


def is_told_to_stop(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether its `stop` was called and it has not stopped yet; False for a loop that does not tell (uvloop)."""
    return issubclass(type(loop), base_events.BaseEventLoop) and vars(loop).get("_stopping") is True


def woken_by(loop: asyncio.AbstractEventLoop) -> int | None:
    """The descriptor by which other threads wake it; None where it does not tell (uvloop). Only read."""
    end = vars(loop).get("_csock") if issubclass(type(loop), base_events.BaseEventLoop) else None
    return end.fileno() if type(end) is socket.socket else None


def takes_beats(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a callback may be sent to it: a loop whose class overrides that is left alone."""
    for cls in type(loop).__mro__:
        function = vars(cls).get("call_soon_threadsafe")
        if function is not None:
            return function is base_events.BaseEventLoop.call_soon_threadsafe or cls.__module__.startswith(_FOREIGN)
    return False


def connections(loop: asyncio.AbstractEventLoop) -> list[Any]:
    """The transports of a loop's sockets; none of a loop that does not tell (uvloop)."""
    found = vars(loop).get("_transports") if issubclass(type(loop), base_events.BaseEventLoop) else None
    return list(cast("WeakValueDictionary[int, Any]", found).values()) if type(found) is WeakValueDictionary else []


def send(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> bool:
    """Has `callback` called when the loop comes round; False where the loop is closed."""
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        return False
    return True


def code_of(function: object) -> CodeType | None:
    return function.__code__ if type(function) is FunctionType else None


def learn() -> None:
    """Takes in the code of the loop as it is now; again after functions of it were rewritten."""
    from asyncio import selector_events

    functions: list[object] = [
        vars(base_events.BaseEventLoop).get("_run_once"),
        base_events.BaseEventLoop.run_forever,
        base_events.BaseEventLoop.run_until_complete,
        vars(selector_events.BaseSelectorEventLoop).get("_process_events"),
        asyncio.Runner.run,
    ]
    functions += [vars(cls).get("select") for cls in vars(selectors).values() if isinstance(cls, type)]
    codes = [code for function in functions if (code := code_of(function)) is not None]
    _between.update((id(code), code) for code in codes)


_between: dict[int, CodeType] = {}  # by identity, for comparing code objects walks their bytecode
_UNTIL_COMPLETE = base_events.BaseEventLoop.run_until_complete.__code__
_FOREVER = base_events.BaseEventLoop.run_forever.__code__
_RUNNER_RUN = asyncio.Runner.run.__code__
_HANDLE_RUN = code_of(events.Handle._run)
learn()
