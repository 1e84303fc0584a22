# SPDX-License-Identifier: Apache-2.0
"""At which instruction a suspended coroutine or generator stands, without a frame object.

To ask for `cr_frame` makes one, of one to two hundred bytes, that stays with the coroutine until that ends: with stacks
of some depth they were the largest part of what watching many tasks keeps. The number is in the coroutine itself, as a
pointer into its code, at a place that is a part of each version's ABI. It is taken for known on the versions that were
checked only, and there it is not written down but found: the one word that says in each of some suspended functions of
ours what their frames say.

Any thread, for a coroutine that somebody holds: the word is in its own memory, and only a number is made of it.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator
from types import CodeType
from typing import Any

from . import frame_memory, versions

CHECKED_ON = versions.on("CPython")

_BEFORE_CODE = CodeType.__basicsize__


def lasti(suspended: Any, code: CodeType) -> int | None:
    """The offset of its last instruction, in bytes, as `f_lasti`. `suspended`: a coroutine, generator or async
    generator of Python's own types, and `code` its code. None where this Python is not read."""
    if _place is None:
        return None
    return max(_words[(id(suspended) >> 3) + _place] - id(code) - _BEFORE_CODE, -1)


def pointer(suspended: Any) -> int:
    """What tells its code and instruction from all others that live, as a number; only where `is_read`."""
    assert _place is not None
    return _words[(id(suspended) >> 3) + _place]


def line(code: CodeType, at: int) -> int | None:
    """The line of an instruction; None where it has none."""
    if at < 0:
        return code.co_firstlineno
    return next((number for begin, end, number in code.co_lines() if begin <= at < end), None)


class _Here:
    def __await__(self) -> Generator[None, None, None]:
        yield


async def _coroutine() -> None:
    await _Here()
    await _Here()


def _generator() -> Generator[None, None, None]:
    yield
    yield


async def _async_generator() -> AsyncGenerator[None, None]:
    await _Here()
    yield


def _found() -> int | None:
    """Which word of a coroutine it is."""
    words = frame_memory.memory()
    if words is None:
        return None
    places: set[int] | None = None
    coroutine: Any = _coroutine()
    generator: Any = _generator()
    async_generator: Any = _async_generator()
    step: Any = async_generator.__anext__()
    for suspended, stepped, prefix, times in (
        (coroutine, coroutine, "cr", 2),
        (generator, generator, "gi", 2),
        (async_generator, step, "ag", 1),
    ):
        for _ in range(times):
            stepped.send(None)
            own = words[id(suspended) >> 3 : (id(suspended) + type(suspended).__basicsize__) >> 3]
            frame, code = getattr(suspended, f"{prefix}_frame"), getattr(suspended, f"{prefix}_code")
            pointer = id(code) + _BEFORE_CODE + frame.f_lasti
            here = {place for place, word in enumerate(own) if word == pointer}
            places = here if places is None else places & here
        stepped.close()
    return next(iter(places)) if places is not None and len(places) == 1 else None


def _found_without_hooks() -> int | None:
    """A loop that runs here would take our async generator for one of the program's, and close it in a task."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return _found()
    finally:
        sys.set_asyncgen_hooks(*hooks)


_words: Any = frame_memory.memory()
_place = _found_without_hooks()
is_read = _place is not None
"""Whether this Python is read: where a coroutine stands is known without making a frame object."""
