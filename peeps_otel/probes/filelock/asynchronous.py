# SPDX-License-Identifier: Apache-2.0
"""filelock's locks for tasks, which it imports when the first is asked for."""

from __future__ import annotations

import asyncio
import sys
import time
from types import CodeType
from typing import Any

from ..internals import versions
from ..internals.await_chain import SuspendedFrame
from ..internals.frame_memory import local_of
from ..library import Support, TaskWait, Waiting, attribute, code_of, first_of
from ..named_locks import POLL
from .library import lock_class, named

_ASYNC = "filelock.asyncio"
_POLLING = (
    ("filelock._async_lock._acquire", "AsyncAcquisition", "_async_poll_until_acquired"),
    (_ASYNC, "BaseAsyncFileLock", "acquire"),
)
"""Module, class and function that polls: since 3.26, and before."""


class FilelockAsync:
    """A `Library`. Its things are those of the locks for threads."""

    name = "filelock.asyncio"
    distribution = "filelock"
    checked = versions.FILELOCK

    def is_imported(self) -> bool:
        return lock_class() is not None and _polling() is not None and _proxy() is not None

    def support(self) -> Support:
        kind, proxy, code = lock_class(), _proxy(), _polling()
        if kind is None or proxy is None or code is None:
            raise AttributeError("BaseAsyncFileLock")
        return Support(
            task_waits=(TaskWait(code, POLL, find=_wanted),),
            managers=(kind, proxy),
            held_by_manager=_held,
        )


def _polling() -> CodeType | None:
    for module, kind, function in _POLLING:
        found = vars(sys.modules.get(module, sys)).get(kind)
        if found is not None:
            return code_of(found, function)
    return None


def _proxy() -> type[Any] | None:
    """The class of what `acquire()` gives, to leave by."""
    found = vars(sys.modules.get(_ASYNC, sys)).get("AsyncAcquireReturnProxy")
    return found if isinstance(found, type) else None


def _held(manager: Any) -> object | None:
    return named(attribute(manager, "lock") if type(manager) is _proxy() else manager)


def _wanted(_links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
    """Of a task that tries to take one."""
    kind, frame = lock_class(), link.frame
    found = None if kind is None else named(first_of(link, kind))
    seconds, began = local_of(frame, "timeout"), local_of(frame, "start_time")
    deadline = None
    if type(began) is not float or type(seconds) not in (int, float) or not issubclass(type(future), asyncio.Future):
        deadline = 0.0  # when in doubt it gives up
    elif seconds >= 0:
        deadline = future.get_loop().time() + began + float(seconds) - time.perf_counter()
    return Waiting(POLL, () if found is None else (found,), deadline=deadline)


FILELOCK_ASYNC = FilelockAsync()
