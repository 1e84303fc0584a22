# SPDX-License-Identifier: Apache-2.0
"""The private names of Trio that are relied on: where its runs are, and what a task, a lock, a channel tells.

Trio keeps what a thread runs in a `threading.local`. The interpreter shows the dictionaries of all threads behind one
as what it refers to, so that every run of the process is found without a search of the heap, hosted ones (guest mode)
too. Nothing in here runs code of the program: its own classes are asked past their properties.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from gc import get_referents
from math import isfinite
from types import CodeType, CoroutineType, FrameType, ModuleType
from typing import Any, NamedTuple, cast

from . import versions
from .asyncio_core import whole
from .current_frames import frames_of_all
from .imported import is_complete
from .stdlib import attribute

CHECKED_ON = versions.on("Trio")

_RUN, _SYNC, _CHANNEL, _TIMEOUTS = "trio._core._run", "trio._sync", "trio._channel", "trio._timeouts"
_TRAPS, _THREADS, _ENTRY_QUEUE = "trio._core._traps", "trio._threads", "trio._core._entry_queue"
_POLLERS = (("trio._core._io_epoll", "EpollIOManager"), ("trio._core._io_kqueue", "KqueueIOManager"))
THREAD_CACHE = "trio._core._thread_cache"
_SCOPES_MOST = 1000  # round one another; a torn chain ends here
_RUNS_MOST = 1000


class Types(NamedTuple):
    """Trio's classes and modules, as the program has imported them."""

    context: Any
    runner: type[Any]
    task: type[Any]
    nursery: type[Any]
    lock: type[Any]
    semaphore: type[Any]
    limiter: type[Any]
    event: type[Any]
    condition: type[Any]
    channel: type[Any]
    sender: type[Any]
    receiver: type[Any]
    timeouts: ModuleType
    traps: ModuleType
    threads: ModuleType
    placeholder: type[Any]
    pollers: tuple[type[Any], ...]


class Run(NamedTuple):
    """One `trio.run` or guest. `running`: the task that makes a step now."""

    runner: Any
    running: Any


def is_imported() -> bool:
    """Whether the import of it has come to its end."""
    return is_complete("trio")


def known() -> Types | None:
    """None where names are missing, as in a version that is not known."""
    try:
        return _types()
    except (AttributeError, KeyError):
        return None


def _types() -> Types:
    run, sync, channel = sys.modules[_RUN], sys.modules[_SYNC], sys.modules[_CHANNEL]
    pollers = [named for name, kind in _POLLERS if (named := vars(sys.modules.get(name, sys)).get(kind)) is not None]
    return Types(
        context=run.GLOBAL_RUN_CONTEXT,
        runner=run.Runner,
        task=run.Task,
        nursery=run.Nursery,
        lock=sync._LockImpl,
        semaphore=sync.Semaphore,
        limiter=sync.CapacityLimiter,
        event=sync.Event,
        condition=sync.Condition,
        channel=channel.MemoryChannelState,
        sender=channel.MemorySendChannel,
        receiver=channel.MemoryReceiveChannel,
        timeouts=sys.modules[_TIMEOUTS],
        traps=sys.modules[_TRAPS],
        threads=sys.modules[_THREADS],
        placeholder=sys.modules[_THREADS].ThreadPlaceholder,
        pollers=tuple(pollers),
    )


def trio_runs() -> bool:
    """Whether a thread is in Trio's own loop. That it was imported says little: httpx does so where it can."""
    return bool(list(_run_frames()))


def run_threads() -> list[int]:
    """The idents of the threads that are in Trio's own loop."""
    return [ident for ident, _ in _run_frames()]


def _run_frames() -> Iterator[tuple[int, FrameType]]:
    for ident, innermost in frames_of_all():
        frame: FrameType | None = innermost
        while frame is not None:
            if frame.f_globals.get("__name__") == _RUN:
                yield ident, frame
                break
            frame = frame.f_back


def turned_for(frame: FrameType) -> tuple[bool, Any]:
    """Whether this frame is the one in which a thread turns Trio's loop until its main task has ended; and that task.
    For a copy of the process: it reads the frame's variables."""
    if frame.f_globals.get("__name__") != _RUN or frame.f_code.co_name != "run":
        return False, None
    runner = frame.f_locals.get("runner")
    return True, None if runner is None else attribute(runner, "main_task")


def runs() -> list[Run]:
    """All runs of the process; none where Trio is not known. On any thread."""
    types = known() if _RUN in sys.modules else None
    if types is None:
        return []
    context, kind = types.context, types.runner
    found: dict[int, Run] = {}
    for table in get_referents(context):
        if type(table) is not dict:
            continue
        for of_thread in list(cast("dict[object, object]", table).values())[:_RUNS_MOST]:
            if type(of_thread) is not dict:
                continue
            fields = cast("dict[str, Any]", of_thread)
            runner = fields.get("runner")
            if runner is not None and type(runner) is kind:
                found[id(runner)] = Run(runner, fields.get("task"))
    return list(found.values())


def tasks_of(run: Run) -> list[Any]:
    """Its tasks but those by which Trio keeps itself going."""
    kept, own = attribute(run.runner, "tasks"), attribute(run.runner, "init_task")
    if type(kept) is not set:
        return []
    return [task for task in list(cast("set[Any]", kept)) if task is not own and not _is_of_trio(task)]


def _is_of_trio(task: Any) -> bool:
    code = getattr(attribute(task, "coro"), "cr_code", None)
    queue = sys.modules.get(_ENTRY_QUEUE)
    return type(code) is CodeType and queue is not None and code.co_filename == vars(queue).get("__file__")


class Suspension(NamedTuple):
    """In which of its waits a task is: `steps` grows with each step it makes. `waits`: whether it is in one, neither
    due nor in a step. `abort`: what would end the wait from outside; None where that was tried in vain."""

    steps: int
    waits: bool
    abort: Any


def suspension(task: Any) -> Suspension:
    """Raises AttributeError for one that does not tell."""
    steps = whole(attribute(task, "_schedule_points"))
    if steps is None:
        raise AttributeError("_schedule_points")
    abort, coroutine = attribute(task, "_abort_func"), attribute(task, "coro")
    is_due = attribute(task, "_next_send_fn") is not None
    # Of a coroutine of another type it is not known whether it runs.
    stands = not coroutine.cr_running if type(coroutine) is CoroutineType else abort is not None
    return Suspension(steps, stands and not is_due, abort)


def name_of(task: Any) -> str:
    """`main.worker` of the program; without `__main__`."""
    name = attribute(task, "name")
    return name.removeprefix("__main__.") if type(name) is str else ""


def parent_of(task: Any) -> Any:
    """The task in whose nursery it is."""
    return attribute(attribute(task, "_parent_nursery"), "_parent_task")


def children(nursery: Any) -> list[Any] | None:
    """The tasks that keep a nursery open; None where others may still come by `start`."""
    kept = attribute(nursery, "_children")
    if type(kept) is not set or attribute(nursery, "_pending_starts") != 0:
        return None
    return list(cast("set[Any]", kept))


def deadline(run: Run, task: Any) -> tuple[float | None, float | None]:
    """The time on the run's clock at which a cancel scope ends what the task waits for, and that clock's time now. A
    scope that was cancelled has ended it already, unless that was tried in vain: nothing is tried twice. A clock that
    is not Trio's own is not asked: its deadlines are taken to be due."""
    first: float | None = None
    if attribute(task, "_abort_func") is None:
        return None, None
    status = attribute(task, "_cancel_status")
    for _ in range(_SCOPES_MOST):
        if status is None:
            break
        scope = attribute(status, "_scope")
        if attribute(scope, "_cancel_called") is True or attribute(status, "effectively_cancelled") is True:
            return 0.0, 0.0
        at = attribute(scope, "_deadline")
        if type(at) in (float, int) and isfinite(at):
            first = float(at) if first is None else min(first, float(at))
        if attribute(scope, "_shield") is True:
            break
        status = attribute(status, "_parent")
    if first is None:
        return None, None
    clock = attribute(run.runner, "clock")
    offset = attribute(clock, "offset")
    if type(clock) is not vars(sys.modules[_RUN]).get("SystemClock") or type(offset) is not float:
        return 0.0, 0.0
    return first, offset + time.perf_counter()


# --- primitives -------------------------------------------------------------------------------------------------------


def waiting(thing: Any) -> int | None:
    """How many are parked at a lock, semaphore, limiter or condition."""
    parked = attribute(attribute(thing, "_lot"), "_parked")
    return _length(parked)


def lock_owner(lock: Any) -> Any:
    return attribute(lock, "_owner")


def tokens(limiter: Any) -> tuple[int | None, list[Any]]:
    """How many a limiter has (None: without limit), and who has them."""
    borrowers, total = attribute(limiter, "_borrowers"), attribute(limiter, "_total_tokens")
    return whole(total), list(cast("set[Any]", borrowers)) if type(borrowers) is set else []


def permits(semaphore: Any) -> tuple[int | None, int | None]:
    """Those that are left, and the most there may be where that is told."""
    return whole(attribute(semaphore, "_value")), whole(attribute(semaphore, "_max_value"))


def event_state(event: Any) -> tuple[bool | None, int | None]:
    """Whether it is set (older versions: `_flag` too), and how many wait."""
    flag, tasks = attribute(event, "_flag"), attribute(event, "_tasks")
    return flag if type(flag) is bool else None, len(cast("set[Any]", tasks)) if type(tasks) is set else None


def lock_of(condition: Any) -> Any:
    return attribute(condition, "_lock")


def channel_of(end: Any) -> Any:
    """What the two ends of a memory channel share."""
    return attribute(end, "_state")


class ChannelState(NamedTuple):
    """`capacity`: None for one without limit."""

    length: int | None
    capacity: int | None
    senders: int | None
    receivers: int | None


def channel_state(channel: Any) -> ChannelState:
    data, most = attribute(channel, "data"), attribute(channel, "max_buffer_size")
    senders, receivers = attribute(channel, "send_tasks"), attribute(channel, "receive_tasks")
    return ChannelState(_length(data), whole(most), _length(senders), _length(receivers))


def _length(kept: Any) -> int | None:
    return len(kept) if type(kept) in (deque, OrderedDict) else None
