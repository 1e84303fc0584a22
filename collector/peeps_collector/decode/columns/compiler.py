# SPDX-License-Identifier: Apache-2.0
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Numba, with types for readers and checkers: what is decorated here is compiled at its first call, and kept on disk.

None of it holds the interpreter lock. All of it but `within` checks each index. None of it makes an array or keeps one
for longer than the call, so references are not counted: that was three quarters of the time that reading spans took.
Numba keeps what is compiled by the text of the module that it is of: one here that decorates in another way needs
another text there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Function = TypeVar("Function", bound=Callable[..., Any])

int64 = cast("Callable[[int], int]", numba.int64)
uint64 = cast("Callable[[int], int]", numba.uint64)
"""Mixed with int64, it would become a floating-point number."""


_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}


def compiled(function: Function) -> Function:
    return cast("Function", numba.njit(**_OPTIONS, boundscheck=True)(function))


def inlined(function: Function) -> Function:
    """For what is called for every byte or field."""
    return cast("Function", numba.njit(**_OPTIONS, boundscheck=True, inline="always")(function))


def within(function: Function) -> Function:
    """For loops over an extent that was checked, so that the processor takes many bytes at once. Nothing else."""
    return cast("Function", numba.njit(**_OPTIONS)(function))
