# SPDX-License-Identifier: Apache-2.0
"""What a plain reference in a function's code (`self._lock`, `locks["db"]`) stands for, without running any code."""

from __future__ import annotations

from typing import Any, cast

from ..internals import stdlib as internals
from ..internals.frame_memory import FrameReader
from .bytecode import Path


def value(reader: FrameReader, path: Path) -> Any:
    """In the frame that is read; None where it cannot be told."""
    start = reader.global_named(path.name) if path.local is None else reader.local(path.local)
    return None if start is None else follow(start, path)


def follow(start: object, path: Path) -> Any:
    """From what the first name of the reference stands for."""
    found: Any = start
    for step in path.steps:
        found = internals.attribute(found, step) if isinstance(step, str) else _item(found, step[0])
        if found is None:
            return None
    return found


def _item(container: object, index: object) -> Any:
    """An item of an exact dictionary, list or tuple."""
    kind = type(container)
    items = cast("Any", container)
    if kind is dict and type(index) in (str, int):
        return items.get(index)
    if kind in (list, tuple) and type(index) is int:
        return items[index] if -len(items) <= index < len(items) else None
    return None
