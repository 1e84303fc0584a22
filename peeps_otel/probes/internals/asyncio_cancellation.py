# SPDX-License-Identifier: Apache-2.0
"""Tasks that were asked to cancel and have not ended, and who asked where that can still be seen.

Nothing is recorded when a task is cancelled: asyncio itself counts the requests, and whoever asks often leaves a trace
(a task group that is aborting, a timeout that has expired, a parent that is being cancelled too).
"""

from __future__ import annotations

import asyncio
from asyncio import taskgroups, timeouts
from collections.abc import Callable
from types import BuiltinMethodType, MethodType
from typing import Any, cast

from .await_chain import Entered

BY_TIMEOUT = "timeout"
BY_SCOPE = "cancel scope"
_requests = cast("Callable[[object], int]", vars(asyncio.Task)["cancelling"])


def requests(task: asyncio.Task[Any]) -> int:
    """How many requests to cancel are pending; 0 for a task that is not of asyncio's own type."""
    try:
        return _requests(task)
    except TypeError:
        return 0


def asked_by(
    task: asyncio.Task[Any], managers: list[Entered], id_of: Callable[[asyncio.Task[Any]], str | None]
) -> str | None:
    """The node id of the task that asked, or what else did; None where it left no trace."""
    for entered in managers:
        if issubclass(type(entered.manager), timeouts.Timeout) and _has_expired(entered.manager):
            return BY_TIMEOUT
    for callback, _ in cast("list[tuple[object, object]]", list(getattr(task, "_callbacks", None) or ())):
        parent: object = None
        if type(callback) is MethodType:
            group: object = callback.__self__
            if issubclass(type(group), taskgroups.TaskGroup) and getattr(group, "_aborting", False) is True:
                parent = getattr(group, "_parent_task", None)
        elif issubclass(type(callback), BuiltinMethodType):  # the wakeup of a task that awaits this one
            parent = cast("BuiltinMethodType", callback).__self__
            if not issubclass(type(parent), asyncio.Task) or requests(cast("asyncio.Task[Any]", parent)) == 0:
                parent = None
        if issubclass(type(parent), asyncio.Task):
            return id_of(cast("asyncio.Task[Any]", parent))
    return None


def _has_expired(timeout: Any) -> bool:
    state: object = getattr(timeout, "_state", None)
    return getattr(state, "name", "") in ("EXPIRING", "EXPIRED")
