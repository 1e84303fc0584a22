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


def _function() -> Callable[[object], object] | None:
    if sys.implementation.name != "cpython" or sys.platform in ("emscripten", "wasi"):
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
    """The same object, which the collector does not look at any more. Only for what was just made, is in nobody else's
    hands, and never refers to anything that lives by counting alone: no object of the program, no container that the
    collector looks at. Where this Python does not offer it nothing is done. Any thread."""
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
