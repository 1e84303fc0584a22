# SPDX-License-Identifier: Apache-2.0
"""Where CPython keeps its threads and its lock. Up to 3.13 by minor version: offsets of release builds, from its own
headers. From 3.14 on it tells them itself, for debuggers, at the start of `_PyRuntime`; only the order in which it does
is of a minor version.

What is read there is checked against what the kernel says (`Target.interpreter`), so that an offset that is wrong in a
patch release makes us refuse.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from .refused import Refused


class Layout(NamedTuple):
    """Offsets in bytes. In `_PyRuntime`: `finalizing`, `main_interpreter`, and `gil_in_runtime` where it is there. In
    the interpreter: `threads`, and `gil_pointer` where the runtime has none. In a thread: `next_thread`, `native_id`,
    `error`. In the lock: `holder`, `locked`."""

    finalizing: int
    main_interpreter: int
    threads: int
    native_id: int
    error: int
    gil_in_runtime: int | None = None
    gil_pointer: int | None = None
    next_thread: int = 8
    holder: int = 8
    locked: int = 16


LAYOUTS: dict[tuple[int, int], Layout] = {
    (3, 11): Layout(24, 48, 16, 160, 96, gil_in_runtime=360),
    (3, 12): Layout(24, 48, 72, 144, 96, gil_pointer=384),
    (3, 13): Layout(608, 640, 7344, 160, 112, gil_pointer=16),
}


class _Told(NamedTuple):
    """Which of the numbers that CPython tells is what, of those that are not at one place in every version.
    `error`: None: not told, it is behind `current_frame` and four pointers."""

    native_id: int
    error: int | None


_COOKIE = b"xdebugpy"
_TOLD: dict[tuple[int, int], _Told] = {(3, 14): _Told(28, None), (3, 15): _Told(31, 36)}
_FREE_THREADED, _FINALIZING, _INTERPRETERS, _THREADS = 2, 4, 5, 9
_GIL_POINTER, _GIL, _LOCKED, _HOLDER, _NEXT_THREAD, _FRAME = 15, 16, 18, 19, 24, 26
_WORD = 8
TOLD_SIZE = 64 * _WORD

KNOWN = (*LAYOUTS, *_TOLD)
"""The minor versions that can be attached to."""


def layout(version: tuple[int, int], told: bytes) -> Layout | None:
    """None where it is not known of this version. `told`: the first `TOLD_SIZE` bytes of `_PyRuntime`. Raises
    Refused."""
    order = _TOLD.get(version)
    if order is None:
        return LAYOUTS.get(version)
    numbers = struct.unpack(f"<{TOLD_SIZE // _WORD}Q", told.ljust(TOLD_SIZE, b"\0"))
    if not told.startswith(_COOKIE) or (numbers[1] >> 24 & 255, numbers[1] >> 16 & 255) != version:
        raise Refused("its Python does not tell where it keeps its threads, as this version does")
    if numbers[_FREE_THREADED]:
        raise Refused("its Python is a free-threaded build: where it keeps its threads is not known")
    return Layout(
        numbers[_FINALIZING],
        numbers[_INTERPRETERS] + _WORD,  # the main one is behind the newest
        numbers[_THREADS],
        numbers[order.native_id],
        numbers[_FRAME] + 5 * _WORD if order.error is None else numbers[order.error],
        gil_pointer=numbers[_GIL_POINTER],
        next_thread=numbers[_NEXT_THREAD],
        holder=numbers[_HOLDER] - numbers[_GIL],
        locked=numbers[_LOCKED] - numbers[_GIL],
    )
