# SPDX-License-Identifier: Apache-2.0
"""Where CPython keeps its threads and its lock, by minor version: offsets of release builds, from its own headers.

What is read there is checked against what the kernel says (`Target.interpreter`), so that an offset that is wrong in a
patch release makes us refuse.
"""

from __future__ import annotations

from typing import NamedTuple


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
