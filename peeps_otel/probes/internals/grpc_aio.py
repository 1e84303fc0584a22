# SPDX-License-Identifier: Apache-2.0
"""The private names of `grpc.aio`: the coroutine functions of its calls, and how long a call may still take."""

from __future__ import annotations

import inspect
import sys
from types import CodeType
from typing import Any, cast

from . import versions

CHECKED_ON = versions.on("grpcio")
_MODULE = "grpc.aio._call"


def call_type() -> type[Any] | None:
    """The base of all calls; None where the program has not imported it."""
    found: object = vars(sys.modules[_MODULE]).get("Call") if _MODULE in sys.modules else None
    return found if isinstance(found, type) else None


def coroutine_functions() -> list[CodeType]:
    """Of all calls: in each of them somebody waits for the other end. Raises AttributeError where there is none."""
    found: list[CodeType] = []
    for kind in list(vars(sys.modules[_MODULE]).values()):
        if isinstance(kind, type) and kind.__module__ == _MODULE:
            functions = list(vars(kind).values())
            found += [one.__code__ for one in functions if inspect.iscoroutinefunction(one)]
    if not found:
        raise AttributeError(_MODULE)
    return found


def seconds_left(call: Any) -> float | None:
    """Until the deadline of a call; None where it has none. A C function tells it, from a number that is stored."""
    stored = cast("dict[str, object]", vars(call))
    inner = stored.get("_cython_call")
    kind = cast("Any", type(inner))
    if type.__getattribute__(kind, "__name__") != "_AioCall":
        return None
    remaining: object = kind.time_remaining(inner)
    return remaining if type(remaining) is float else None
