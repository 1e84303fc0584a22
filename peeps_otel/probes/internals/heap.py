# SPDX-License-Identifier: Apache-2.0
"""Private names of timers and modules that the leak proof relies on.

A name that is not there counts as a timer that is armed: a task too many is taken for live, never one too few.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import sys
from types import FrameType, FunctionType, ModuleType
from typing import Any

from . import versions

CHECKED_ON = versions.on("CPython", "uvloop")

HOOKS = frozenset({"_get", "_put", "_release_save", "_acquire_restore"})
"""What the waits of `asyncio`, `queue` and `threading` call of a class of the program that is made of theirs."""
_OF_QUEUES = frozenset({"_get", "_put"})
"""Of those, what a class of another kind may have as well. The others are the lock's that a condition is given."""
_EVERYWHERE = (asyncio.AbstractEventLoop, ModuleType, type, FrameType, contextvars.Context)
_HEAP_TYPE = 1 << 9  # `Py_TPFLAGS_HEAPTYPE`
_WITH_KNOWN_METHODS = frozenset(
    {"asyncio", "_asyncio", "threading", "_thread", "queue", "_queue", "anyio", "trio"},
)


def hook_codes() -> set[int]:
    """The addresses of the code by which classes made of the queues of `asyncio` and `queue` put and get."""
    found: set[int] = set()
    work: list[type[Any]] = [asyncio.Queue, queue.Queue]
    while work:
        one = work.pop()
        work += type.__subclasses__(one)
        fields = type.__getattribute__(one, "__dict__")
        found.update(id(hook.__code__) for name in _OF_QUEUES if type(hook := fields.get(name)) is FunctionType)
    return found


def may_be_hook(name: str, address: int, of_queues: set[int]) -> bool:
    """Whether a function with this name and code may be called by such a wait. `of_queues`: from `hook_codes`."""
    return name in HOOKS and (name not in _OF_QUEUES or address in of_queues)


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


def has_known_methods(kind: type[Any]) -> bool:
    """Whether its methods hand it to nobody, and end a wait for it by names that are known: of the standard library,
    AnyIO or Trio, and not of a class that somebody has made of one."""
    in_c = kind.__flags__ & _HEAP_TYPE == 0
    return in_c or home_of(kind).partition(".")[0] in _WITH_KNOWN_METHODS


def home_of(kind: type[Any]) -> str:
    """The name of the module that a class was made in; empty for one that is written in C as a whole."""
    module: object = type.__getattribute__(kind, "__dict__").get("__module__")
    return module if type(module) is str else ""
