# SPDX-License-Identifier: Apache-2.0
"""What cannot be read later, written down where it happens.

These functions are called from the rewritten functions of asyncio (`asyncio_rewrites`), on the threads of the watched
program. They take no lock, keep no object of the program alive (facts about an object are attributes of that object;
the ring holds weak references) and never raise.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from types import CodeType, FrameType
from typing import Any, NamedTuple
from weakref import ref

from . import asyncio_internals as internals

ORIGIN = "_peeps_origin"
OWNER = "_peeps_owner"
HOLDERS = "_peeps_holders"
SINCE = "_peeps_since"

_getframe = sys._getframe  # pyright: ignore[reportPrivateUsage]
_now = time.time_ns


class TaskOrigin(NamedTuple):
    """Where, when and by whom a task was created. `parent` is the sequence number of the task that created it, or 0:
    a reference would keep a whole chain of ancestors alive."""

    sequence: int
    code: CodeType
    lasti: int
    parent: int
    time_ns: int


class Origin(NamedTuple):
    """Where and when a lock, semaphore or queue was made. `initial`: the permits a semaphore began with."""

    code: CodeType
    lasti: int
    time_ns: int
    initial: int | None


class Holding(NamedTuple):
    """Who took a lock or permit by a bare `acquire()`, where and when."""

    task: ref[asyncio.Task[Any]]
    code: CodeType
    lasti: int
    time_ns: int


class LongWait(NamedTuple):
    """A wait that ended and was long enough to be told."""

    resource: ref[Any]
    task_name: str
    task_sequence: int
    began_ns: int
    ended_ns: int
    code: CodeType
    lasti: int
    span_context: object


class Recorder:
    """The facts that rewritten functions hand over. One per process.

    What happens often is written down by statements of the rewritten functions themselves (`asyncio_rewrites`), as
    plain tuples that `Origin` and `Holding` give names to when they are read.

    `long_wait_ns` may be changed at any time. `span_context` gives the trace context of the calling task; the export
    layer sets it. `long_waits` is read with `popleft` by the watcher thread.
    """

    def __init__(self, long_wait_ns: int) -> None:
        self.long_wait_ns = long_wait_ns
        self.long_waits: deque[LongWait] = deque(maxlen=4096)
        self.span_context: Callable[[], object] = lambda: None
        self.created = _creator()
        """The origin of a task that is being created, two frames below the code that asked for it."""

    def created_unless_known(self, task: Any) -> None:
        """The same in front of a loop whose own `create_task` cannot be rewritten."""
        try:
            if not hasattr(task, ORIGIN):
                task._peeps_origin = self.created(task.get_loop())
        except Exception:
            return

    def took_permit(self, semaphore: Any) -> None:
        """A bare `acquire()` of a semaphore succeeded."""
        try:
            frame = _getframe(2)
            holding = (ref(asyncio.current_task()), frame.f_code, frame.f_lasti, _now())
            semaphore._peeps_holders = [*(semaphore._peeps_holders or ()), holding]
        except Exception:
            return

    def gave_permit(self, semaphore: Any) -> None:
        """A permit came back: the releasing task's own, else the oldest that was taken by a bare `acquire()`.

        A task that holds permits by `async with` as well is seen on its stack, so nothing is taken off for those.
        """
        try:
            holders: list[Any] = list(semaphore._peeps_holders)
            if _within_exit(_getframe(2)):
                return
            try:
                task = asyncio.current_task()
            except RuntimeError:
                task = None
            mine = [position for position, holding in enumerate(holders) if holding[0]() is task]
            del holders[mine[-1] if mine else 0]
            semaphore._peeps_holders = holders or None
        except Exception:
            return

    def waited(self, primitive: Any, future: Any) -> None:
        """A wait ended well; called only where it took at least `long_wait_ns`."""
        try:
            frame = _outside(_getframe(2))
            task = asyncio.current_task()
            origin = getattr(task, ORIGIN, None)
            self.long_waits.append(
                LongWait(
                    ref(primitive),
                    "" if task is None else task.get_name(),
                    0 if origin is None else origin[0],
                    future._peeps_since,
                    _now(),
                    frame.f_code,
                    frame.f_lasti,
                    self.span_context(),
                )
            )
        except Exception:
            return


def _creator() -> Callable[[asyncio.AbstractEventLoop], tuple[int, CodeType, int, int, int]]:
    """The one function here that runs for every task: a closure, for its names are found faster than attributes."""
    getframe, now, following = _getframe, _now, count(1).__next__
    current_task, (one, other, third) = internals.current_task_reader(), internals.CREATING_GLOBALS

    def created(loop: asyncio.AbstractEventLoop) -> tuple[int, CodeType, int, int, int]:
        frame = getframe(2)
        while (names := frame.f_globals) is one or names is other or names is third:
            if frame.f_back is None:
                break
            frame = frame.f_back
        current: Any = current_task(loop)
        try:
            parent: int = current._peeps_origin[0]
        except AttributeError:
            parent = 0
        return following(), frame.f_code, frame.f_lasti, parent, now()

    return created


def _outside(frame: FrameType) -> FrameType:
    """The nearest frame that is not asyncio's own."""
    while id(frame.f_globals) in internals.INTERNAL_GLOBALS and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _within_exit(frame: FrameType) -> bool:
    """Whether a release comes from `async with`, whose permits are read off the stack instead."""
    while id(frame.f_globals) in internals.INTERNAL_GLOBALS and frame.f_back is not None:
        if frame.f_code.co_name == "__aexit__":
            return True
        frame = frame.f_back
    return False
