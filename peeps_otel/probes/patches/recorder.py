# SPDX-License-Identifier: Apache-2.0
"""What cannot be read later, written down where it happens.

These functions are called from the rewritten functions of asyncio (`asyncio_patch`), on the threads of the watched
program. They take no lock, keep no object of the program alive (facts about an object are attributes of that object;
the ring holds weak references) and never raise.

What an operation costs to record is more than it may cost a program that does nothing else: an attribute on a C task
alone is a tenth of the life of a task that makes one step. So details are written down within a `TokenBucket`: a
program that creates a thousand tasks a second has them all recorded, one that creates a hundred thousand pays for a few
thousand of them, and the rest is inferred.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Any, NamedTuple, TypeAlias, cast
from weakref import ref

from ...model.change import Change
from ..internals import asyncio_core as internals

ORIGIN = "_peeps_origin"
OWNER = "_peeps_owner"
HOLDERS = "_peeps_holders"
SINCE = "_peeps_since"  # a local variable of a suspended function, not an attribute

CHANGES = (
    Change(
        "tasks, locks, semaphores, conditions, events and queues of asyncio",
        "attributes that begin with `_peeps`: code objects, instruction numbers, times and weak references",
        "when the rewritten functions run, within an allowance a second",
        "they go with the object",
        "`PEEPS_RECORD`, `PEEPS_PROBE_ASYNCIO`",
    ),
)
_getframe = internals.getframe
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
    """Who took a lock or permit by a bare `acquire()`, and within the allowance where and when."""

    task: ref[asyncio.Task[Any]]
    code: CodeType | None = None
    lasti: int = 0
    time_ns: int = 0


class Waker(NamedTuple):
    """What ended a wait: where a lock was released, an item put, an event set. `task` is empty outside of tasks."""

    task: str
    code: CodeType
    lasti: int


class LongWait(NamedTuple):
    """A wait that ended and was long enough to be told. `waker`: None where it was not recorded."""

    resource: ref[Any]
    task_name: str
    task_sequence: int
    began_ns: int
    ended_ns: int
    code: CodeType
    lasti: int
    span_context: object
    waker: Waker | None


Left: TypeAlias = "list[int] | array[int]"


class TokenBucket:
    """How many more of a kind may be written down: at most `burst` at once, `per_second` in the long run.

    `left` has one entry for each; the rewritten functions test it and take one off, which is all that an operation
    beyond the allowance costs. `numbered`: each is a number that was never there before, in an array, for thousands of
    objects are memory; else all are the same. `refill` is for one thread, the watcher's; without it nothing more is
    recorded.
    """

    def __init__(self, burst: int, per_second: int, *, numbered: bool = False) -> None:
        self.left: Left = array("Q", range(1, burst + 1)) if numbered else [0] * burst
        self._last = burst if numbered else 0
        self._burst = burst
        self._per_second = per_second
        self._refilled_ns = 0

    def refill(self, now_ns: int) -> None:
        """`now_ns`: any one clock."""
        passed_ns, self._refilled_ns = now_ns - self._refilled_ns, now_ns
        more = min(self._burst - len(self.left), max(passed_ns, 0) * self._per_second // 1_000_000_000)
        if more > 0:
            self.left.extend(range(self._last + 1, self._last + more + 1) if self._last else [0] * more)
            self._last += more if self._last else 0


class Recorder:
    """The facts that rewritten functions hand over. One per process.

    What happens often is written down by statements of the rewritten functions themselves (`asyncio_patch`), as
    plain tuples that `Origin` and `Holding` give names to when they are read.

    `long_wait_ns` may be changed at any time. `span_context` gives the trace context of the calling task; the export
    layer sets it. `long_waits` is read with `popleft` by the watcher thread.
    """

    def __init__(self, long_wait_ns: int) -> None:
        self.long_wait_ns = long_wait_ns
        self.long_waits: deque[LongWait] = deque(maxlen=4096)
        self.span_context: Callable[[], object] = lambda: None
        self.created = _creator()
        """The origin of a task that is being created, by the frame that calls the loop's `create_task`."""
        self.tasks = TokenBucket(10_000, 2_000, numbered=True)
        self.resources = TokenBucket(10_000, 1_000)
        self.holders = TokenBucket(2_000, 500)
        self.wakers = TokenBucket(1_000, 500)
        self.took_permit, self.gave_permit = _permits(self.holders.left)
        self.woke = _waking(self.wakers.left)
        self.refilled: list[Callable[[], None]] = []

    def refill(self, now_ns: int) -> None:
        """Called at each look. Where nobody looks, nothing is written down before long."""
        for allowance in (self.tasks, self.resources, self.holders, self.wakers):
            allowance.refill(now_ns)
        for call in list(self.refilled):
            call()

    def took_lock(self, lock: Any) -> None:
        """A bare `acquire()` of a lock succeeded while several loops, or none, run a task."""
        task = _current_task()
        if task is not None:
            lock._peeps_owner = ref(task)

    def waited(self, primitive: Any, began_ns: int) -> None:
        """A wait ended well; called only where it took at least `long_wait_ns`."""
        try:
            frame = _outside(_getframe(2))
            waker = primitive._peeps_waker
            task = asyncio.current_task()
            origin = getattr(task, ORIGIN, None)
            self.long_waits.append(
                LongWait(
                    ref(primitive),
                    "" if task is None else task.get_name(),
                    0 if origin is None else origin[0],
                    began_ns,
                    _now(),
                    frame.f_code,
                    frame.f_lasti,
                    self.span_context(),
                    None if waker is None else Waker(*waker),
                )
            )
        except Exception:
            return


_running = internals.current_tasks()


def _current_task() -> asyncio.Task[Any] | None:
    """None outside of a running loop, where a release or a `put_nowait` is legal too."""
    try:
        if not internals.CURRENT_TASK_IN_C:  # asking which loop is running costs a system call then
            (task,) = cast("Mapping[object, asyncio.Task[Any]]", _running).values()
            return task
    except ValueError:
        pass  # several loops run a task, or none does
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _creator() -> Callable[[asyncio.AbstractEventLoop, FrameType, int], tuple[int, CodeType, int, int, int] | None]:
    """What runs for every recorded task: a closure, for its names are found faster than attributes. None: no function
    that could be named has asked for the task."""
    asked_in, now, library = internals.asked_in, _now, internals.CREATING_GLOBALS
    by_name, by_group = asyncio.create_task.__code__, asyncio.TaskGroup.create_task.__code__
    current_task = internals.current_task_reader()

    def created(
        loop: asyncio.AbstractEventLoop, frame: Any, sequence: int
    ) -> tuple[int, CodeType, int, int, int] | None:
        code = frame.f_code
        if code is by_name or code is by_group:
            frame = frame.f_back  # no cast: that is a call
            code = frame.f_code
        elif id(frame.f_globals) in library:
            asking = asked_in(frame, loop)
            if asking is None:
                return None
            frame, code = asking, asking.f_code
        current: Any = current_task(loop)
        if current is None:
            return sequence, code, frame.f_lasti, 0, now()
        try:
            return sequence, code, frame.f_lasti, current._peeps_origin[0], now()
        except (AttributeError, TypeError):
            return sequence, code, frame.f_lasti, 0, now()

    return created


def _permits(left: Left) -> tuple[Callable[[Any], None], Callable[[Any], None]]:
    """What runs for every permit that is taken by a bare `acquire()`, and for those that come back: closures, as above,
    which call nothing of ours. `left`: of the allowance."""
    current_task = asyncio.current_task if internals.CURRENT_TASK_IN_C else _current_task

    def took_permit(semaphore: Any) -> None:
        """A bare `acquire()` of a semaphore succeeded."""
        try:
            task = current_task()
            if task is None:
                return
            holding: Any = ref(task)
            if left:
                left.pop()
                frame = _getframe(2)
                holding = (holding, frame.f_code, frame.f_lasti, _now())
            holders = semaphore._peeps_holders
            if holders is None:
                semaphore._peeps_holders = [holding]
            else:
                holders.append(holding)
        except Exception:
            return

    def gave_permit(semaphore: Any) -> None:
        """A permit came back: the releasing task's own, else the oldest that was taken by a bare `acquire()`.

        What a task holds by `async with` is seen on its stack, so nothing is taken off for a permit that comes back
        from there, unless the same task holds one by a bare `acquire()` as well: then too little is known, not too
        much.
        """
        try:
            holders: list[Any] = semaphore._peeps_holders
            try:
                task = current_task()
            except RuntimeError:  # outside of a running loop, where a release is legal too
                task = None
            last = holders[-1]
            if task is not None and (last[0]() if type(last) is tuple else last()) is task:
                holders.pop()
            elif not _within_exit(_getframe(2)):
                mine = [
                    position
                    for position, one in enumerate(holders)
                    if (one[0]() if type(one) is tuple else one()) is task
                ]
                del holders[mine[-1] if mine else 0]
        except Exception:
            return

    return took_permit, gave_permit


def _waking(left: Left) -> Callable[[Any], None]:
    """What runs for every wake-up that is recorded: a closure as well. `left`: of the allowance."""
    current_task = asyncio.current_task if internals.CURRENT_TASK_IN_C else None
    internal, running, getframe = internals.INTERNAL_GLOBALS, _running, _getframe

    def woke(primitive: Any) -> None:
        """Somebody's wait for `primitive` is being ended by the caller of the calling function."""
        try:
            left.pop()
            frame: Any = getframe(2)
            while id(frame.f_globals) in internal:
                frame = frame.f_back
            try:
                if current_task is None:
                    (task,) = running.values()
                else:
                    task = current_task()
                name = "" if task is None else task.get_name()
            except (RuntimeError, ValueError):
                task = _current_task()
                name = "" if task is None else task.get_name()
            primitive._peeps_waker = (name, frame.f_code, frame.f_lasti)
        except Exception:
            return

    return woke


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
