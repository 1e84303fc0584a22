# SPDX-License-Identifier: Apache-2.0
"""Plain data of ours that the garbage collector need not look at.

Whoever makes very many objects that live makes the collector search everything there is, in the thread of the program:
with ten thousand tasks that stops it for a tenth of a second. What refers to nothing but text, numbers and other plain
data can be in no cycle; it goes with its last reference, and the collector has nothing to find there. CPython does so
by itself for tuples and dictionaries of such values; for others there is a function in its C interface.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast
from weakref import ref

Thing = TypeVar("Thing")
_CHECKED = ((3, 11), (3, 12), (3, 13))
"""Where an object may end that the collector does not look at: it depends on each type's destructor."""


def _function() -> Callable[[object], object] | None:
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in _CHECKED or sys.platform == "emscripten":
        return None
    try:
        from ctypes import py_object, pythonapi

        function = pythonapi.PyObject_GC_UnTrack
    except (ImportError, AttributeError):
        return None
    function.argtypes, function.restype = (py_object,), None
    return function


_untrack = _function()


def untracked(thing: Thing) -> Thing:
    """The same object, which the collector does not look at any more. Where this Python does not offer it nothing is
    done. Any thread.

    Only for instances of our classes, tuples, lists and dictionaries: when these end they ask whether the collector
    looks at them; others (functions) take it for granted, and the process would crash. And only for what was just made,
    is in nobody else's hands, and never refers to anything of the program, nor, even by way of others, to itself.
    """
    if _untrack is not None:
        _untrack(thing)
    return thing


class Reference(ref[Any]):
    """A weak reference that is ours alone (`weakref.ref` gives the one that others have too), so it may be `untracked`.
    Its target's type must take weak references: TypeError."""

    __slots__ = ()


def weakly(thing: object) -> ref[Any]:
    """A weak reference of ours, which the collector does not look at. TypeError for what takes none."""
    return untracked(cast("ref[Any]", Reference(thing)))
