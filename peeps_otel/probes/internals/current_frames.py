# SPDX-License-Identifier: Apache-2.0
"""The innermost frame of each thread, where asking for it harms nobody.

`sys._current_frames()` walks the threads of *all* interpreters of the process and makes frame objects for them. Since
3.12 another interpreter may run under a lock of its own, so it runs and allocates meanwhile: the memory of both is
damaged, and the program dies at some later time. So it is asked only while the main interpreter is the only one.

Why the check cannot be overtaken: a new interpreter is put at the head of the runtime's list, the main one was the
first, so the head is the main one exactly where there is no other. The pointers are compared, never followed. Only a
thread that holds the lock of an existing interpreter can add one; where there is one interpreter, that is the GIL, and
this thread has it. It keeps it from the check to the end of `sys._current_frames()`: both are made by one `next()` of
iterators written in C. There is no bytecode in between, which alone would hand the GIL on, and a function of
`ctypes.pythonapi` does not let go of it. (An audit hook written in Python is called in between; none is known that
makes interpreters.) An interpreter that ends leaves the list before its memory is freed.

Before 3.12 it is the garbage collection that must not come in between. `sys._current_frames()` keeps the lock of the
runtime's list of threads and makes objects, and there each object that is made may begin a collection. What that calls
of the program (finalizers, callbacks of weak references) may hand the GIL on while we have the lock; the next thread
that begins or ends has the GIL then and waits for the lock, and nobody ever runs again (CPython's issue 106883; mended
late in 3.11). So collections are switched off for it, and on again, where they are on. The program cannot see that: it,
too, is one `next()` of iterators written in C.

On 3.13 a program that makes and ends interpreters all the time was still seen to die now and then, why is not known:
there the first other interpreter that is met is the end of reading frames in this process.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from itertools import chain, repeat, starmap
from types import FrameType
from typing import cast

from ...model.change import Change
from ...native import get_ident
from . import versions

CHANGES = (
    Change(
        "`gc.disable`",
        "for microseconds on Python 3.11, while the frames of all threads are asked for: a collection at that moment "
        "may stop the whole process for good",
        "at each look and each sample",
        "as it was, at once, before anything of the program runs",
        "`PEEPS_ENABLED`",
    ),
)

CHECKED_ON = versions.on("CPython")

Frames = dict[int, FrameType]

OTHER_INTERPRETER = "a second interpreter runs in this process: threads are not read"
_ask: Callable[[], Frames] = sys._current_frames  # pyright: ignore[reportPrivateUsage]  # documented, with an underscore


def current_frames() -> Frames:
    """Of all threads but the one that asks, by `threading.get_ident()`; empty where they cannot be read.

    Let go of the frames at once: one that is kept keeps the locals of its function when that returns. That of the
    asking thread would keep itself: its function has the frames in its hands, and all of them would live, with what the
    program had in its variables, until the next garbage collection.
    """
    global _given_up
    if _given_up:
        return {}
    found = _uncollected() if _COLLECTS_INSIDE else next(_attempt())
    if type(found) is dict:
        frames = cast("Frames", found)
        frames.pop(get_ident(), None)
        if _borrowed is not None and _borrowed[1] is not None:
            frames[_borrowed[0]] = _borrowed[1]
        return frames
    _given_up = sys.version_info >= (3, 13)
    return {}


def frames_of_all() -> Iterator[tuple[int, FrameType]]:
    """The innermost frame of each thread; that of the asking thread is that of the function which called the one that
    asks here: it has none of these frames in its hands."""
    yield from current_frames().items()
    if _borrowed is None:
        yield get_ident(), sys._getframe(2)  # pyright: ignore[reportPrivateUsage]  # documented, with an underscore


def asker() -> int:
    """The ident of the thread that looks, which is no part of what is seen; 0 where it is one of the program's."""
    return get_ident() if _borrowed is None else 0


def borrow(frame: FrameType | None) -> None:
    """We are a copy of the process and look on a thread that was the program's: it is seen like any other, where it was
    when the copy was made. For the rest of the life of the copy."""
    global _borrowed
    _borrowed = get_ident(), frame


def can_be_read() -> bool:
    """Whether `current_frames` gives any now."""
    return _COLLECTS_INSIDE or (not _given_up and type(next(_attempt())) is dict)


def _uncollected() -> Frames:
    """The frames, with no garbage collection while they are asked for. Before 3.12: all interpreters share one
    GIL. The frame of the asking thread is this function's: whoever calls it has to let go of that."""
    call = repeat(())
    while True:
        off, ask, on = starmap(gc.disable, call), starmap(_ask, call), starmap(gc.enable, call)
        try:
            asked = next(zip(iter(gc.isenabled, False), off, ask, on, strict=False), None)
        except Exception:  # of an audit hook, or there is no memory
            gc.enable()
            raise
        if asked is not None:
            return asked[2]
        asked_while_off = next(zip(iter(gc.isenabled, True), ask, strict=False), None)
        if asked_while_off is not None:
            return asked_while_off[1]


def _attempt() -> Iterator[object]:
    """One whose first element is the frames, or anything else where there is another interpreter. From 3.12 on."""
    if _head is None:
        return repeat(None)
    # `iter(function, sentinel)` calls and compares: at an end at once where the head is the main interpreter.
    return chain(iter(_head, _main), starmap(_ask, repeat(())))


def _read_head() -> tuple[Callable[[], object] | None, object]:
    """A function in C that gives the address of the newest interpreter, and the address of the main one."""
    if sys.platform in ("emscripten", "wasi"):  # no threads, so nothing runs meanwhile
        return int, 0
    try:
        from ctypes import c_void_p, pythonapi

        head, main = pythonapi.PyInterpreterState_Head, pythonapi.PyInterpreterState_Main
    except (ImportError, AttributeError):
        return None, None  # nobody can tell
    for function in (head, main):
        function.restype, function.argtypes = c_void_p, ()
    return head, main()


_COLLECTS_INSIDE = sys.version_info < (3, 12)
_given_up = False
_borrowed: tuple[int, FrameType | None] | None = None
_head, _main = _read_head() if sys.version_info >= (3, 12) else (None, None)
