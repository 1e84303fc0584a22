# SPDX-License-Identifier: Apache-2.0
"""Private names of timeouts and scopes that the leak proof relies on.

Checked on CPython 3.11.7, 3.12.1, 3.13.0, uvloop 0.23 and AnyIO 4.16. A name that is not there counts as a timer that
is armed: a task too many is taken for live, never one too few.
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import timeouts
from types import FrameType, ModuleType
from typing import Any, cast

_EVERYWHERE = (asyncio.AbstractEventLoop, ModuleType, type, FrameType, contextvars.Context)


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


def attribute(thing: object, name: str) -> object:
    """Past any `__getattr__` of the program."""
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None
