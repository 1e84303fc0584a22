# SPDX-License-Identifier: Apache-2.0
"""Which code is the application's own: not the standard library, not an installed package, not ours."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Sequence
from functools import lru_cache

from ...model import Frame

_PATHS = sysconfig.get_paths()
LIBRARY = tuple(
    {os.path.realpath(_PATHS[name]) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {_PATHS[name] + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_STANDARD = tuple({_PATHS[name] + os.sep for name in ("stdlib", "platstdlib")})
_INSTALLED = tuple({_PATHS[name] + os.sep for name in ("purelib", "platlib")})


@lru_cache(maxsize=4096)
def is_application(file: str) -> bool:
    """Whether a frame of `file` is worth a reader's first look."""
    if file.startswith("<") or "site-packages" in file or "dist-packages" in file:
        return False
    return not file.startswith((*LIBRARY, _OURS))


@lru_cache(maxsize=4096)
def is_standard_library(file: str) -> bool:
    """Whether it comes with the interpreter, and not from an installed package."""
    return file.startswith("<frozen") or (file.startswith(_STANDARD) and not file.startswith(_INSTALLED))


def innermost(stack: Sequence[Frame]) -> Frame | None:
    """The innermost frame of the application; the innermost of all where it has none."""
    for frame in reversed(stack):
        if is_application(frame.file):
            return frame
    return stack[-1] if stack else None


def source(frame: Frame | None) -> str:
    """`path:line`, or the path alone where the line was not resolved."""
    if frame is None:
        return ""
    return frame.file if frame.line is None else f"{frame.file}:{frame.line}"
