# SPDX-License-Identifier: Apache-2.0
"""Which of a library's things a suspended function can reach: its variables, what is in these, and the globals that it
names."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from gc import get_referents, is_tracked
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any, cast

from ..internals.await_chain import SUSPENDED, SuspendedFrame

_DEPTH_MOST = 4
_THINGS_MOST = 400
_ITEMS_MOST = 100
_CONTAINERS: tuple[type[Any], ...] = (dict, list, tuple, set, frozenset, deque)
_NOT_FOLLOWED = (
    *(type, ModuleType, FunctionType, BuiltinFunctionType, CodeType, FrameType),
    *(*SUSPENDED, asyncio.AbstractEventLoop),
)
_AWAITS = "FutureIter"
"""What an `await` has of a future; its type has no public name."""


def in_reach(link: SuspendedFrame, wanted: tuple[type[Any], ...], closed: tuple[type[Any], ...] = ()) -> Iterator[Any]:
    """Those of these types, and futures, the nearest first. Bounded: what is far away is not found. `closed`: what is
    in things of these types is theirs."""
    not_followed = _NOT_FOLLOWED + closed
    seen: set[int] = set()
    level = [*link.referents, *_globals(link)]
    for _ in range(_DEPTH_MOST):
        further: list[Any] = []
        for one in level:
            kind = cast("type[Any]", type(one))
            if id(one) in seen or not is_tracked(one):
                continue
            if len(seen) >= _THINGS_MOST:
                return
            seen.add(id(one))
            if issubclass(kind, wanted) or issubclass(kind, asyncio.Future):
                yield one
            elif not issubclass(kind, not_followed) and not _is_await(kind) and not _is_large(one, kind):
                further += get_referents(one)
        level = further


def _is_await(kind: type[Any]) -> bool:
    return type.__getattribute__(kind, "__name__") == _AWAITS


def _is_large(thing: Any, kind: type[Any]) -> bool:
    """A large container is not looked through. Past the program's own `__len__`."""
    return any(issubclass(kind, base) and base.__len__(thing) > _ITEMS_MOST for base in _CONTAINERS)


def _globals(link: SuspendedFrame) -> list[Any]:
    """Without making a frame object, which would stay."""
    function = next((one for one in link.referents if type(one) is FunctionType and one.__code__ is link.code), None)
    if function is None:
        return []
    module = function.__globals__
    return [module[name] for name in link.code.co_names if name in module] if type(module) is dict else []
