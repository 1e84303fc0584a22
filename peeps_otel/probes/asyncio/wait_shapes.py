# SPDX-License-Identifier: Apache-2.0
"""What all tasks that are suspended in the same functions have in common: their stack, what they wait for, and whether
one of them may be inside a block. With lines those are alike that stand at the same instruction of each function.

Ten thousand tasks stand in a few dozen places. What follows from the place alone is found out once.
"""

from __future__ import annotations

import dis
from types import CodeType, CoroutineType
from typing import Any

from ...model import Frame, own_line
from ..internals import suspended_at
from ..library import TaskWait
from ..patches.recorder import SINCE
from . import tasks as asyncio_tasks
from .waits import Classifier

_SHAPES_MOST = 5000
_DEPTH = 200
_CODE_MOST = 20_000  # bytes of a function: more are not searched
_NAMES = ("BEFORE_WITH", "BEFORE_ASYNC_WITH", "LOAD_SPECIAL", "GET_AITER")
_ENTERING = frozenset(dis.opmap[name] for name in _NAMES if name in dis.opmap)
"""Instructions of which something may stay on the value stack that holds a lock."""


class Shape:
    """Of one chain of coroutine functions. `entering`: the places of those that have a block, or iterate a generator.
    `recorded`: the innermost writes down since when it waits. `source`: where they wait; `is_own`:
    whether that is in a function of the application. `own`: the first such function, as a task of a library is called
    after it; empty where there is none. `lines`: of the stack, by the instructions given; None: it has none."""

    __slots__ = ("codes", "entering", "has_lines", "is_own", "own", "recorded", "source", "stack", "wait")

    def __init__(
        self, codes: tuple[CodeType, ...], wait: TaskWait, lastis: tuple[int | None, ...] | None = None
    ) -> None:
        self.codes = codes
        self.has_lines = lastis is not None
        self.wait = wait
        self.entering = tuple(place for place, code in enumerate(codes) if may_enter(code))
        self.recorded = SINCE in codes[-1].co_varnames
        self.stack: tuple[Frame, ...] = asyncio_tasks.frames_of(zip(codes, lastis or (None,) * len(codes), strict=True))
        self.is_own = own_line.innermost(self.stack) is not None
        self.source = own_line.place(self.stack)
        self.own = next((name for code in codes if (name := asyncio_tasks.application_name(code))), "")


class Shapes:
    """For the watcher thread only. Keeps code objects alive, at most those of a few thousand chains."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._revision = -1
        self._known: dict[tuple[int, ...], tuple[tuple[CodeType, ...], Shape | None]] = {}

    def of(self, coroutine: Any, with_lines: bool = False) -> tuple[Shape, list[Any]] | None:
        """The shape and the coroutines, outermost first. None for a chain that is not of coroutines alone, or whose
        wait is none of those that can be told from the innermost function. `with_lines`: only where `suspended_at`
        reads this Python."""
        chain: list[Any] = []
        while type(coroutine) is CoroutineType:
            chain.append(coroutine)
            coroutine = coroutine.cr_await
        if not chain or type(coroutine).__name__ != "FutureIter" or len(chain) > _DEPTH:
            return None
        codes = [one.cr_code for one in chain]
        # The codes are kept with what is known of them, so another one cannot have their place.
        key = tuple(map(suspended_at.pointer if with_lines else id, chain if with_lines else codes))
        known = self._known.get(key)
        if known is None or self._revision != self._classifier.revision:
            lastis = tuple(map(suspended_at.lasti, chain, codes)) if with_lines else None
            known = self._new(key, tuple(codes), lastis)
        shape = known[1]
        return None if shape is None else (shape, chain)

    def _new(
        self, key: tuple[int, ...], codes: tuple[CodeType, ...], lastis: tuple[int | None, ...] | None
    ) -> tuple[tuple[CodeType, ...], Shape | None]:
        if self._revision != self._classifier.revision or len(self._known) >= _SHAPES_MOST:
            self._known.clear()
            self._revision = self._classifier.revision
        wait = self._classifier.plain(codes)
        simple = wait is not None and wait.operation.told_by_innermost
        known = self._known[key] = (codes, Shape(codes, wait, lastis) if wait is not None and simple else None)
        return known


def may_enter(code: CodeType) -> bool:
    """Whether a function has a `with` or an `async for`."""
    instructions = code.co_code
    return len(instructions) > _CODE_MOST or not _ENTERING.isdisjoint(instructions[::2])
