# SPDX-License-Identifier: Apache-2.0
"""The traces that a request to cancel leaves in asyncio: private names of tasks, task groups and timeouts."""

from __future__ import annotations

import asyncio
from asyncio import taskgroups, timeouts
from collections.abc import Callable
from types import BuiltinMethodType, MethodType
from typing import Any, cast

from . import versions

CHECKED_ON = versions.on("CPython", "CPython, partly")

_requests = cast("Callable[[object], int]", vars(asyncio.Task)["cancelling"])


def requests(task: asyncio.Task[Any]) -> int:
    """How many requests to cancel are pending; 0 for a task that is not of asyncio's own type."""
    try:
        return _requests(task)
    except TypeError:
        return 0


def aborting_parents(task: asyncio.Task[Any]) -> list[asyncio.Task[Any]]:
    """The tasks that are known to have asked this one: whose task group is aborting, or who are being cancelled while
    they await it."""
    found: list[object] = []
    for callback, _ in cast("list[tuple[object, object]]", list(getattr(task, "_callbacks", None) or ())):
        if type(callback) is MethodType:
            group: object = callback.__self__
            if issubclass(type(group), taskgroups.TaskGroup) and getattr(group, "_aborting", False) is True:
                found.append(getattr(group, "_parent_task", None))
        elif issubclass(type(callback), BuiltinMethodType):  # the wakeup of a task that awaits this one
            parent = cast("BuiltinMethodType", callback).__self__
            if issubclass(type(parent), asyncio.Task) and requests(cast("asyncio.Task[Any]", parent)) > 0:
                found.append(parent)
    return [cast("asyncio.Task[Any]", one) for one in found if issubclass(type(one), asyncio.Task)]


def has_expired(timeout: object) -> bool:
    """Whether a manager is an `asyncio.timeout` whose time is over."""
    state: object = getattr(timeout, "_state", None) if issubclass(type(timeout), timeouts.Timeout) else None
    return getattr(state, "name", "") in ("EXPIRING", "EXPIRED")
