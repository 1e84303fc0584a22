# SPDX-License-Identifier: Apache-2.0
"""What is found out about a function from its code, once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from types import CodeType
from typing import Generic, Protocol, TypeVar


class _HasCode(Protocol):
    code: CodeType


T = TypeVar("T", bound=_HasCode)


class OfCode(Generic[T]):
    """`make`, which is called where it is not known yet, makes something that keeps the code object, and so its
    identity: to hash a code object walks its bytecode. The `most` that were asked for last stay. For one thread."""

    def __init__(self, make: Callable[[CodeType], T], most: int) -> None:
        self._make, self._most = make, most
        self._known: OrderedDict[int, T] = OrderedDict()

    def __call__(self, code: CodeType) -> T:
        known = self._known.get(id(code))
        if known is None:
            known = self._known[id(code)] = self._make(code)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(id(code))
        return known
