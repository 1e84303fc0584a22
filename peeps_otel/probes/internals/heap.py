# SPDX-License-Identifier: Apache-2.0
"""Private names of timeouts and scopes that the leak proof relies on.

Checked on CPython 3.11.7, 3.12.1, 3.13.0, uvloop 0.23 and AnyIO 4.16. A name that is not there counts as a timer that
is armed: a task too many is taken for live, never one too few.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from asyncio import timeouts
from types import FrameType, ModuleType
from typing import Any, cast

_SCOPES_MOST = 10_000
_EVERYWHERE = (asyncio.AbstractEventLoop, ModuleType, type, FrameType, contextvars.Context)


def scope_types() -> tuple[type[Any], ...]:
    """AnyIO's cancel scope on asyncio, where the program has loaded it."""
    module = sys.modules.get("anyio._backends._asyncio")
    scope: object = None if module is None else vars(module).get("CancelScope")
    return (scope,) if type(scope) is type else ()


def is_armed(scope: object) -> bool:
    """Whether a timer will cancel a scope of AnyIO."""
    try:
        return object.__getattribute__(scope, "_timeout_handle") is not None
    except AttributeError:
        return True


def tasks_of(manager: object) -> list[asyncio.Task[Any]]:
    """The tasks that cancelling a scope or task group of AnyIO cancels, those of inner scopes included, shielded ones
    too: a shield may come off. Nothing for any other object."""
    kinds = scope_types()
    if not kinds:
        return []
    found: list[asyncio.Task[Any]] = []
    work: list[object] = [attribute(manager, "cancel_scope") if _is_anyio_group(manager) else manager]
    seen: set[int] = set()
    while work and len(seen) < _SCOPES_MOST:
        scope = work.pop()
        if type(scope) not in kinds or id(scope) in seen:
            continue
        seen.add(id(scope))
        members: object = attribute(scope, "_tasks")
        if type(members) is set:
            found += cast("set[asyncio.Task[Any]]", members.copy())
        inner: object = attribute(scope, "_child_scopes")
        if type(inner) is set:
            work += cast("set[object]", inner.copy())
    return found


def timed_task(timeout: timeouts.Timeout) -> asyncio.Task[Any] | None:
    """The task that an entered `asyncio.timeout` with a deadline will cancel."""
    handler: object = attribute(timeout, "_timeout_handler")
    return cast("asyncio.Task[Any] | None", attribute(timeout, "_task")) if handler is not None else None


def is_timer_handle(kind: type[Any]) -> bool:
    """asyncio's and uvloop's."""
    return kind is asyncio.TimerHandle or (kind.__name__ == "TimerHandle" and kind.__module__ == "uvloop.loop")


def leads_everywhere(thing: object) -> bool:
    """Whether everything in the program can be reached by way of it, so that being reached means nothing."""
    return issubclass(type(thing), _EVERYWHERE)


def _is_anyio_group(manager: object) -> bool:
    module = sys.modules.get("anyio._backends._asyncio")
    return module is not None and type(manager) is vars(module).get("TaskGroup")


def attribute(thing: object, name: str) -> object:
    """Past any `__getattr__` of the program."""
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None
