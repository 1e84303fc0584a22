# SPDX-License-Identifier: Apache-2.0
"""Whose code the frames of this process are: the one `Ownership` that everything in it asks.

For the watcher thread: the first question about a file may read directories.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import CodeType

from ...model import Frame
from ...model.own_line import place
from .ownership import Ownership

_ownership = Ownership()


def decide_by(ownership: Ownership) -> None:
    """From now on; before the first look."""
    global _ownership
    _ownership = ownership


def is_own(file: str) -> bool:
    """Whether code of this file (`co_filename`) is the program's own."""
    return not _ownership.library(file)


def frame(code: CodeType, line: int | None) -> Frame:
    """One frame of a stack."""
    file = code.co_filename
    return Frame(code.co_qualname, file, line, _ownership.library(file))


def place_of(stack: Sequence[Frame], created: str = "") -> str:
    """Where a stack is, as a person should read it (`own_line`). `created`: `path:line` that created the task."""
    return place(stack, created if created and is_own(created.rpartition(":")[0]) else "")
