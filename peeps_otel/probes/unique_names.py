# SPDX-License-Identifier: Apache-2.0
"""Names that tell things apart: `db`, and `db #2` for another one called `db`."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from ..model import NodeKind

_Key = tuple[NodeKind, str]


@dataclass(slots=True)
class _Numbers:
    """Of one name: the highest number given so far, and those below it that are free again (a heap)."""

    highest: int = 0
    free: list[int] = field(default_factory=list[int])


class UniqueNames:
    """`db`, then `db #2` for another lock called `db`, as long as both live. For the watcher thread only."""

    def __init__(self) -> None:
        self._numbers: dict[_Key, _Numbers] = {}

    def take(self, kind: NodeKind, name: str) -> tuple[str, int]:
        """The name to show, and the number to give back. No name stays none."""
        if not name:
            return "", 0
        numbers = self._numbers.setdefault((kind, name), _Numbers())
        if numbers.free:
            number = heapq.heappop(numbers.free)
        else:
            number = numbers.highest = numbers.highest + 1
        return (name if number == 1 else f"{name} #{number}"), number

    def give_back(self, kind: NodeKind, shown: str, number: int) -> None:
        """The thing is gone. `shown`, `number`: as they were taken."""
        if not number:
            return
        name = shown if number == 1 else shown.removesuffix(f" #{number}")
        numbers = self._numbers.get((kind, name))
        if numbers is None:
            return
        heapq.heappush(numbers.free, number)
        if len(numbers.free) == numbers.highest:
            del self._numbers[kind, name]
