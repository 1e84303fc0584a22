# SPDX-License-Identifier: Apache-2.0
"""Private names of timers and modules that the leak proof relies on.

A name that is not there counts as a timer that is armed: a task too many is taken for live, never one too few.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from types import FrameType, ModuleType
from typing import Any

from . import versions

CHECKED_ON = versions.on("CPython", "uvloop")

HOOKS = frozenset({"_get", "_put", "_release_save", "_acquire_restore"})
"""What the waits of `asyncio`, `queue` and `threading` call of a class of the program that is made of theirs."""
_EVERYWHERE = (asyncio.AbstractEventLoop, ModuleType, type, FrameType, contextvars.Context)


def is_timer_handle(kind: type[Any]) -> bool:
    """asyncio's and uvloop's."""
    return kind is asyncio.TimerHandle or (kind.__name__ == "TimerHandle" and kind.__module__ == "uvloop.loop")


def not_walked() -> ModuleType | None:
    """Walking this module of 3.12.1 never ends (python/cpython#122695). What it holds becomes a root."""
    return sys.modules.get("_asyncio")


def leads_everywhere(thing: object) -> bool:
    """Whether everything in the program can be reached by way of it, so that being reached means nothing."""
    return issubclass(type(thing), _EVERYWHERE)


def attribute(thing: object, name: str) -> object:
    """Past any `__getattr__` of the program."""
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None
