# SPDX-License-Identifier: Apache-2.0
"""How a wait may end early: the timers round it, and the requests to cancel its task.

Nothing is recorded when a task is cancelled: asyncio itself counts the requests, and whoever asks often leaves a trace
(a task group that is aborting, a timeout that has expired, a parent that is being cancelled too). A wait with a timer
is never a deadlock.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any, cast

from ..internals import asyncio_cancellation as cancellation
from ..internals import asyncio_core as internals
from ..internals.await_chain import Entered

_BY_TIMEOUT = "timeout"
requests = cancellation.requests


def asked_by(
    task: asyncio.Task[Any], managers: list[Entered], id_of: Callable[[asyncio.Task[Any]], str | None]
) -> str | None:
    """The node id of the task that asked, or what else did; None where it left no trace."""
    if any(cancellation.has_expired(entered.manager) for entered in managers):
        return _BY_TIMEOUT
    parents = cancellation.aborting_parents(task)
    return id_of(parents[0]) if parents else None


def earliest(managers: list[Entered], but: tuple[type[object], ...] = ()) -> float | None:
    """The loop time of the first timer among the context managers around a wait; None where there is none.

    Any manager that refers to a pending timer counts, not only `asyncio.timeout`: `async_timeout` looks the same.
    Counting one too many only makes a verdict more careful. `but`: types of managers whose deadlines are read another
    way.
    """
    found: float | None = None
    for entered in managers:
        if but and issubclass(type(entered.manager), but):
            continue
        for referent in gc.get_referents(entered.manager):
            candidates: list[object] = [referent]
            if type(referent) is dict:
                candidates = list(cast("dict[object, object]", referent).values())
            for candidate in candidates:
                deadline = internals.timer_deadline(candidate)
                if deadline is not None and (found is None or deadline < found):
                    found = deadline
    return found
